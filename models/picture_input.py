"""From a frame to the array a network takes: which size, how the picture fills it, and a buffer to write it to.

Buffers belong to the calling thread and are kept, so a run allocates nothing of that size. Blocks for the scaling.
"""

import math
import threading
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.packet import Frame
from models.catalogue import InputForm

AREA_SLACK = 1.08
"""How much larger than the measured input a better-fitting size may be: cost grows with the area."""

AREA_WEIGHT = 0.25
"""What a smaller area costs against a distorted aspect: halving the area weighs like 19% of distortion."""

MAX_ASPECT = 4.0
"""Beyond this, the input keeps this aspect and the picture is distorted: bounds the sizes that there can be."""

KEPT_BUFFERS = 4
"""Buffers a thread keeps; a thread that serves cameras of more aspects than this makes some anew."""

GREY = 114.0
"""What fills the rest of a letterboxed input; YOLOX was trained with it."""


class Placement(NamedTuple):
    """Where the picture lies in the input: `picture` from the top left corner, all in pixels of the input."""

    input_width_px: int
    input_height_px: int
    picture_width_px: int
    picture_height_px: int


@lru_cache(maxsize=64)
def place(form: InputForm, width_px: int, height_px: int) -> Placement:
    """How a picture of this size enters the network."""
    input_width_px, input_height_px = _input_size(form, width_px, height_px)
    if form.fit == "stretch":
        return Placement(input_width_px, input_height_px, input_width_px, input_height_px)
    scale = min(input_width_px / width_px, input_height_px / height_px)
    return Placement(input_width_px, input_height_px, max(1, round(width_px * scale)), max(1, round(height_px * scale)))


def _input_size(form: InputForm, width_px: int, height_px: int) -> tuple[int, int]:
    """The size whose aspect is nearest to the picture's, at about the measured area."""
    step_px = form.multiple_px
    if step_px is None:
        return form.width_px, form.height_px
    aspect = min(MAX_ASPECT, max(1 / MAX_ASPECT, width_px / height_px))
    area_px = form.width_px * form.height_px
    longest_px = math.isqrt(int(area_px * MAX_ASPECT * AREA_SLACK)) + step_px
    sides_px = range(step_px, longest_px + 1, step_px)
    sizes = [(w, h) for w in sides_px for h in sides_px if w * h <= area_px * AREA_SLACK]

    def mismatch(size: tuple[int, int]) -> float:
        distortion = abs(math.log(size[0] / size[1] / aspect))
        return distortion + AREA_WEIGHT * max(0.0, math.log(area_px / (size[0] * size[1])))

    return min(sizes, key=mismatch)


class _Buffer:
    """One input array and the 8-bit planes on the way to it."""

    def __init__(self, form: InputForm, placement: Placement) -> None:
        width_px, height_px = placement.input_width_px, placement.input_height_px
        shape = (1, 3, height_px, width_px) if form.layout == "nchw" else (1, height_px, width_px, 3)
        self.array = np.full(shape, GREY / 255 * form.full_scale, np.float32)
        planes = np.empty((3, placement.picture_height_px, placement.picture_width_px), np.uint8)
        self.planes, self.as_list = planes, [planes[0], planes[1], planes[2]]


class PictureInput:
    """Fills inputs of one form; each thread has its own buffers."""

    def __init__(self, form: InputForm) -> None:
        self._form = form
        self._mine = threading.local()

    def fill(self, frame: Frame) -> tuple[NDArray[np.float32], Placement]:
        """The input array for `frame`, overwritten by this thread's next call, and where the picture lies in it."""
        placement = place(self._form, frame.width_px, frame.height_px)
        buffer = self._buffer(placement)
        image = frame.bgr(placement.picture_width_px, placement.picture_height_px)
        if self._form.layout == "nchw":
            self._fill_planes(buffer, image)
        else:
            self._fill_pixels(buffer, image)
        return buffer.array, placement

    def _buffer(self, placement: Placement) -> _Buffer:
        kept: dict[Placement, _Buffer] | None = getattr(self._mine, "buffers", None)
        if kept is None:
            kept = self._mine.buffers = {}
        buffer = kept.pop(placement, None) or _Buffer(self._form, placement)
        kept[placement] = buffer  # last used last
        if len(kept) > KEPT_BUFFERS:
            del kept[next(iter(kept))]
        return buffer

    def _fill_planes(self, buffer: _Buffer, image: NDArray[np.uint8]) -> None:
        height_px, width_px = image.shape[:2]
        cv2.split(image, buffer.as_list)  # a third faster than one strided numpy copy
        target = buffer.array[0, :, :height_px, :width_px]
        np.copyto(target, buffer.planes if self._form.colour == "bgr" else buffer.planes[::-1])
        if self._form.full_scale != 255:
            target /= 255.0

    def _fill_pixels(self, buffer: _Buffer, image: NDArray[np.uint8]) -> None:
        height_px, width_px = image.shape[:2]
        target = buffer.array[0, :height_px, :width_px]
        np.copyto(target, image if self._form.colour == "bgr" else image[:, :, ::-1])
        if self._form.full_scale != 255:
            target /= 255.0
