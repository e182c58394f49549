"""Frames are taken at a rate, whatever rate they come at."""

import numpy as np
import pytest

from ingest.sampler import Sampler
from runtime.clock import NS_PER_S


@pytest.mark.parametrize(
    ("source_fps", "rate", "expected"), [(25, 5, 5), (12, 5, 5), (10, 5, 5), (4, 5, 4), (30, 1, 1)]
)
def test_frames_are_sampled_evenly_at_any_rate(source_fps: int, rate: float, expected: int) -> None:
    sampler = Sampler(rate)
    taken = [n for n in range(source_fps * 20) if sampler.takes(10**18 + n * NS_PER_S // source_fps)]
    assert len(taken) / 20 == pytest.approx(expected, rel=0.06)
    assert max(np.diff(taken)) <= -(-source_fps // expected) + 1
