"""Scaling of decoded pictures. A thread keeps its scalers, for making one costs more than the scaling of a frame."""

import threading
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

KEPT_SCALERS = 16
"""A thread serves cameras of few sizes; one that meets more than this makes some anew."""

_mine = threading.local()


def scaled_bgr(picture: av.VideoFrame, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """`picture` as (height_px, width_px, 3) uint8 BGR, fast bilinear, in the calling thread alone."""
    key = (picture.width, picture.height, picture.format.name, width_px, height_px)
    scaled: Any = _scaler(key).reformat(
        picture,
        width=width_px,
        height=height_px,
        format="bgr24",
        interpolation="FAST_BILINEAR",
        threads=1,  # libav would share out half a millisecond of work among threads it first has to start
    )
    image: NDArray[np.uint8] = scaled.to_ndarray()
    return image


def _scaler(key: tuple[int, int, str, int, int]) -> VideoReformatter:
    kept: dict[tuple[int, int, str, int, int], VideoReformatter] | None = getattr(_mine, "scalers", None)
    if kept is None:
        kept = _mine.scalers = {}
    scaler = kept.pop(key, None) or VideoReformatter()
    kept[key] = scaler  # last used last
    if len(kept) > KEPT_SCALERS:
        del kept[next(iter(kept))]
    return scaler
