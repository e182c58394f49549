"""Which classes may stand for the same thing from one frame to the next: detectors waver between a car and a truck."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GROUPS: tuple[frozenset[str], ...] = (
    frozenset({"person"}),
    frozenset({"bicycle", "car", "motorcycle", "bus", "truck", "train"}),
    frozenset({"dog", "cat", "sheep", "cow", "horse"}),
)
"""A person never turns into a car; a name in none of these is a group of its own."""

VEHICLES = 1
"""Place of the vehicles in `GROUPS`."""


def group_ids(class_names: Sequence[str]) -> NDArray[np.int32]:
    """The group of each class, (C,) i32: its place in `GROUPS`, or a number no other class has."""
    own = len(GROUPS)
    return np.array(
        [
            next((at for at, names in enumerate(GROUPS) if name in names), own + class_id)
            for class_id, name in enumerate(class_names)
        ],
        np.int32,
    )
