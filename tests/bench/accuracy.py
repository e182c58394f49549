"""`python -m tests.bench.accuracy [--quick]`: what detector and tracker cost, and what can be said of how well they do.

No public footage with boxes or identities may be shipped, so there is no average precision here: instead the shipped
networks are held against each other on real footage, and the tracker against made-up people whose identities are known.
Prints tables; times are CPU time of the calling thread, medians.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np

from analytics.tracker import Tracker
from ingest.packet import Frame, Stamp
from models.catalogue import load_catalogue
from models.detections import Detections
from models.detector import Detector, load_detector
from models.nms import iou_matrix
from models.picture_input import place
from models.processor import INT8_FLAGS, default_model, processor_flags
from models.settings import ModelSettings
from tests.bench.scene import ASPECT, watch
from tests.bench.tracking_score import Score
from tests.servers.footage import find_source

CLIP_FPS = 10
SURE_SCORE = 0.6
PERSON = 0


def read_clip(every: int) -> list[Frame]:
    """Each `every`-th frame of the pedestrian clip (768x576, 10 a second)."""
    with tempfile.TemporaryDirectory() as scratch, av.open(str(find_source(Path(scratch)))) as clip:
        return [
            Frame(Stamp("clip", i, i * 1_000_000_000 // CLIP_FPS), picture)
            for i, picture in enumerate(clip.decode(video=0))
            if i % every == 0
        ]


def median_ms(work: Callable[[Frame], object], frames: Sequence[Frame]) -> float:
    """CPU milliseconds of the calling thread for one frame, median."""
    taken = []
    for frame in frames:
        began = time.thread_time_ns()
        work(frame)
        taken.append((time.thread_time_ns() - began) / 1e6)
    return float(np.median(taken))


def full_hd(frames: Sequence[Frame]) -> list[Frame]:
    """The middle of each frame as 1080p, as a main stream would carry it."""
    larger = []
    for frame in frames:
        middle = frame.raw.to_ndarray(format="bgr24")[72:504]
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(middle), "bgr24")
        larger.append(Frame(frame.stamp, picture.reformat(1920, 1080, "yuv420p")))
    return larger


def detector_costs_ms(detector: Detector, frames: Sequence[Frame]) -> tuple[float, float]:
    """CPU of the network alone and of the whole way from picture to boxes; alternating, under the same neighbours."""
    picture, _ = detector._input.fill(frames[0])
    picture = picture.copy()

    def bare(_: Frame) -> object:
        return detector._network.run(picture)

    pairs = [(median_ms(bare, [frame]), median_ms(detector.detect, [frame])) for frame in frames]
    bare_ms, whole_ms = np.median(pairs, axis=0).tolist()
    return bare_ms, whole_ms


def print_detector_costs(detectors: dict[str, Detector], clip: Sequence[Frame]) -> None:
    print("\nDetector, CPU ms a frame      picture     input    network  picture to boxes   ratio")
    for name, detector in detectors.items():
        for frames in (clip, full_hd(clip)):
            first = frames[0]
            placed = place(detector.entry.input, first.width_px, first.height_px)
            bare_ms, whole_ms = detector_costs_ms(detector, frames)
            size, given = f"{first.width_px}x{first.height_px}", f"{placed.input_width_px}x{placed.input_height_px}"
            print(f"  {name:24} {size:>12} {given:>9} {bare_ms:10.2f} {whole_ms:17.2f} {whole_ms / bare_ms:7.3f}")


def persons(found: Detections) -> Detections:
    return found.where(found.class_id == PERSON)


def print_agreement(detectors: dict[str, Detector], clip: Sequence[Frame]) -> None:
    """How many sure people of one network the other finds too (IoU above one half, at the usual threshold)."""
    names = list(detectors)
    found = {name: [persons(detectors[name].detect(frame)) for frame in clip] for name in names}
    print(f"\nAgreement on people, {len(clip)} frames")
    for one, other in ((names[0], names[1]), (names[1], names[0])):
        total = same = 0
        for mine, theirs in zip(found[one], found[other], strict=True):
            sure = mine.xyxy[mine.score >= SURE_SCORE]
            total += len(sure)
            same += int((iou_matrix(sure, theirs.xyxy) > 0.5).any(axis=1).sum()) if len(theirs) else 0
        print(f"  of {total:5} people of {one:15} {same / max(1, total):6.1%} are found by {other}")


def print_real_tracks(detector: Detector, clip: Sequence[Frame]) -> None:
    """Identities the tracker gives to the clip, in which 19 people walk, some of whom leave and come back."""
    print("\nTracks of people in the clip (19 people walk in it)")
    found = [detector.detect(frame) for frame in clip]
    for step in (1, 2, 4):
        tracker = Tracker(detector.class_names, {"person": detector.thresholds["person"]}, aspect=ASPECT)
        lengths: dict[int, int] = {}
        for one in found[::step]:
            for track_id in tracker.update(one).track_id.tolist():
                lengths[track_id] = lengths.get(track_id, 0) + 1
        brief = sum(length * step < CLIP_FPS for length in lengths.values())
        print(f"  {CLIP_FPS / step:4.1f} frames a second: {len(lengths):3} identities, {brief} of them under a second")


def print_made_up_tracks() -> None:
    print("\nTracker on made-up people      fps  people    MOTA    IDF1  switches  overlap  us an update")
    for fps in (2, 5, 10, 25):
        for count in (10, 18, 36):
            score, tracker, taken = Score(), Tracker(("person",), {"person": 0.45}, aspect=ASPECT), []
            for truth, found in watch(count, fps, 40, seed=count):
                began = time.thread_time_ns()
                tracks = tracker.update(found)
                taken.append((time.thread_time_ns() - began) / 1e3)
                score.add(truth.person_id, truth.xyxy, tracks.track_id, tracks.detections.xyxy)
            print(
                f"  {fps:31} {count:7} {score.mota():7.3f} {score.idf1():7.3f} {score.switches:9} "
                f"{score.mean_overlap():8.3f} {np.median(taken):13.0f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the frames")
    every = 10 if parser.parse_args().quick else 1
    exact = ", ".join(sorted(processor_flags() & INT8_FLAGS)) or "none"
    print(f"{platform.machine()}, 8-bit dot products: {exact}; default detector: {default_model()}")
    detectors = {name: load_detector(ModelSettings(), load_catalogue(), name) for name in load_catalogue().names()}
    clip = read_clip(every)
    print_detector_costs(detectors, clip[:: max(1, len(clip) // 60)])
    print_agreement(detectors, clip[:: 1 if every > 1 else 5])
    if every == 1:
        print_real_tracks(detectors[default_model()], clip)
    print_made_up_tracks()


if __name__ == "__main__":
    main()
