"""The JSON lines of `sharpeyes analyze`: one object each for a frame, an event, its end, and the summary. Pure.

Boxes are x1, y1, x2, y2 in fractions of the picture; `t_s` is seconds from the source's first picture.
"""

from collections.abc import Sequence
from typing import Any

from analytics.events import Event
from analytics.source_analysis import Analysed, Progress
from models.detections import Detections

Line = dict[str, Any]

BOX_DIGITS = 5
"""A hundredth of a pixel in 1080p."""

TIME_DIGITS = 3
SCORE_DIGITS = 4


def frame_line(analysed: Analysed, class_names: Sequence[str]) -> Line:
    """What was detected and tracked in one frame."""
    detections, tracks = analysed.result.detections, analysed.result.tracks
    return {
        "kind": "frame",
        "frame": analysed.index,
        "t_s": round(analysed.t_s, TIME_DIGITS),
        "detections": [
            {"class": name, "score": round(score, SCORE_DIGITS), "box": box}
            for name, score, box in zip(
                _names(detections, class_names), detections.score.tolist(), _boxes(detections), strict=True
            )
        ],
        "tracks": [
            {"id": track_id, "class": name, "box": box}
            for track_id, name, box in zip(
                tracks.track_id.tolist(),
                _names(tracks.detections, class_names),
                _boxes(tracks.detections),
                strict=True,
            )
        ],
    }


def event_line(event: Event, start_s: float, end_s: float | None) -> Line:
    """An event that started, or, with `end_s`, ended."""
    line: Line = {
        "kind": "event" if end_s is None else "event_end",
        "rule": event.rule.kind.value,
        "name": event.rule.name,
        "area": event.rule.area,
        "t_s": round(start_s if end_s is None else end_s, TIME_DIGITS),
        "track": event.track_id,
        "class": event.object_class,
        "score": round(event.score, SCORE_DIGITS),
        "box": [round(side, BOX_DIGITS) for side in event.box],
    }
    if end_s is not None:
        line["start_s"] = round(start_s, TIME_DIGITS)
    if event.direction is not None:
        line["direction"] = event.direction.value
    if event.dwell_s is not None:
        line["dwell_s"] = round(event.dwell_s, TIME_DIGITS)
    return line


def summary_line(progress: Progress, events: int, seconds: float, *, complete: bool) -> Line:
    """The last line: pictures of the source, how many were decoded and detected on, and how long it took."""
    return {
        "kind": "summary",
        "frames": progress.packets,
        "decoded": progress.decoded,
        "detected": progress.detected,
        "events": events,
        "video_s": round(progress.t_s, TIME_DIGITS),
        "seconds": round(seconds, TIME_DIGITS),
        "complete": complete,
    }


def _names(detections: Detections, class_names: Sequence[str]) -> list[str]:
    return [class_names[class_id] for class_id in detections.class_id.tolist()]


def _boxes(detections: Detections) -> list[list[float]]:
    return [[round(side, BOX_DIGITS) for side in box] for box in detections.xyxy.tolist()]
