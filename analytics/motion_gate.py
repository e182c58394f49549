"""Whether anything stirs in a picture: luma in, yes or no out. Decides which packets are worth decoding.

A background model of at most 240 columns with a noise level for each pixel; whatever changes and stays (a parked
car, a night switch, a cloud) is background within half a minute, what keeps changing (leaves, water) becomes noise.
Used by one thread at a time; about 0.25 ms a 1080p picture. Raises nothing on any picture.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.clock import NS_PER_S

MAX_WIDTH_PX = 240
"""A person 40 px high in 1080p is still 2 by 5 pixels here."""

BACKGROUND_S = 10.0
NOISE_S = 20.0
"""Time constants with which the background and the noise level follow the picture."""

STIRS_AT = 8.0
"""A pixel stirs when it is off by this many times its noise level (mean absolute deviation): 6.4 sigma of a
Gaussian, so that none of 50,000 noisy pixels does, even while the level is known from few pictures only."""

MIN_NOISE = 0.7
MAX_NOISE = 5.0
"""Grey levels. Below, compression alone makes more; above, STIRS_AT times it would hide people in dark clothes."""

NOISE_STEP = 2.5
"""One deviation counts as at most this many noise levels: a place where people pass a third of the time stays
sensitive, one that changes half of the time becomes noise."""

MIN_STIRRING_PX = 4
"""Of the small, smoothed picture."""

SCENE_CHANGE_SHARE = 0.4
"""When more of the picture differs, light or the camera has changed: the background starts anew from this picture."""

MAX_GAIN = 1.5
"""Clouds and exposure change brightness by less between two pictures; a night switch is a scene change."""

MIN_STEP_S = 0.02
MAX_STEP_S = 60.0
"""Pictures further apart than this, or time that stands still, teach no more or less than this."""

Image = NDArray[np.float32]


@dataclass(slots=True)
class _Model:
    background: Image
    noise: Image
    t_ns: int


class MotionGate:
    """The gate of one camera. The first picture stirs, as nothing is known of what it shows."""

    def __init__(self) -> None:
        self._model: _Model | None = None

    def stirs(self, luma: NDArray[np.uint8], t_ns: int) -> bool:
        """Whether `luma` (h, w), taken at `t_ns`, shows something that was not there; the model learns from it."""
        picture = _shrink(luma)
        model = self._model
        if model is None or model.background.shape != picture.shape:
            self._model = _Model(picture, np.full_like(picture, MIN_NOISE), t_ns)
            return True
        gain = _gain(picture, model.background)
        difference = _mix(picture, 1.0, model.background, -gain)
        deviation = np.abs(np.asarray(cv2.blur(difference, (3, 3)), np.float32))
        level = np.maximum(model.noise, float(np.mean(model.noise)))
        stirring_px = int(np.count_nonzero(deviation > STIRS_AT * level))
        _learn(model, picture, difference, deviation, t_ns)
        if stirring_px > SCENE_CHANGE_SHARE * picture.size:
            model.background = picture
        return stirring_px >= MIN_STIRRING_PX


def _shrink(luma: NDArray[np.uint8]) -> Image:
    """At most MAX_WIDTH_PX columns, each pixel the mean of the few in the middle of its block."""
    height_px, width_px = luma.shape
    factor = math.ceil(width_px / MAX_WIDTH_PX)
    size = (max(1, width_px // factor), max(1, height_px // factor))
    small: Image = cv2.resize(luma, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return small


def _gain(picture: Image, background: Image) -> float:
    """How much brighter the picture is as a whole: the median ratio over a coarse grid; dark pixels say little."""
    now, then = picture[::8, ::8].ravel(), background[::8, ::8].ravel()
    ratio = float(np.median((now + 8.0) / (then + 8.0)))
    return min(max(ratio, 1.0 / MAX_GAIN), MAX_GAIN)


def _learn(model: _Model, picture: Image, difference: Image, deviation: Image, t_ns: int) -> None:
    step_s = min(max((t_ns - model.t_ns) / NS_PER_S, MIN_STEP_S), MAX_STEP_S)
    model.t_ns = t_ns
    follow = -math.expm1(-step_s / BACKGROUND_S)
    model.background = _mix(picture, 1.0, difference, follow - 1.0)
    seen = np.minimum(deviation, NOISE_STEP * model.noise)
    settle = -math.expm1(-step_s / NOISE_S)
    model.noise = np.clip(_mix(model.noise, 1.0 - settle, seen, settle), MIN_NOISE, MAX_NOISE)


def _mix(one: Image, weight: float, other: Image, other_weight: float) -> Image:
    """weight * one + other_weight * other."""
    return np.asarray(cv2.addWeighted(one, weight, other, other_weight, 0.0), np.float32)
