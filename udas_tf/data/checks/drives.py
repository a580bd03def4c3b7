"""Whether the frames of one drive are spread over training and validation, so that scores are of images seen before.

Frames of one drive have names that differ in one number. A split that cuts a drive in two has neighbours at the cut
alone; one that draws frames at random has them everywhere. Numbers alone may also count unrelated photographs: frames
of a drive look alike, the more the nearer their numbers are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from udas_tf.data.checks.thumbnails import Thumbnails, differences
from udas_tf.data.gap.findings import Finding

LEAST_FRAMES = 4  # of validation that have neighbours in training
LEAST_SHARE = 0.2  # of validation, that these are
NEAR = 2.0  # distance of neighbours, in median distances between the frames of a drive
ALIKE = 0.6  # difference between neighbours, in that between any two frames; CamVid at 1 Hz has 0.3

Pairs = list[tuple[int, int]]  # indices in train and in val


def findings(train: Thumbnails, val: Thumbnails) -> list[Finding]:
    """A warning where many images of `val` lie between frames of `train`, by their names and by how they look."""
    near = neighbours(train.names, val.names)
    if len(near) < max(LEAST_FRAMES, LEAST_SHARE * len(val)) or not _look_alike(train, val, near):
        return []
    example = f"{val.names[near[0][1]]} beside {train.names[near[0][0]]}"
    return [
        Finding(
            "drives_split",
            f"{len(near)} of {len(val)} validation images of the target are frames beside training frames, of one "
            f"drive by their names and looks: {example}; scores on them say little of other drives",
            "give each drive to one split as a whole, or hold out its end: data.target.val=train_tail",
        )
    ]


def neighbours(train: Sequence[str], val: Sequence[str]) -> Pairs:
    """The frames of `val` with the nearest of `train` whose names differ in one number, and little in that."""
    there, held_out = _by_stem(train), _by_stem(val)
    nearest: dict[int, tuple[int, int]] = {}  # index in val -> index in train
    for stem in there.keys() & held_out.keys():
        for index, place in _near(there[stem], held_out[stem]):
            nearest.setdefault(place, (index, place))
    return [nearest[place] for place in sorted(nearest)]


def _by_stem(names: Sequence[str]) -> dict[tuple[str, str], dict[int, int]]:
    """What is before and after a number in a name -> number -> index of the name."""
    frames: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    for index, name in enumerate(names):
        for match in re.finditer(r"[0-9]+", name):
            frames[name[: match.start()], name[match.end() :]][int(match.group())] = index
    return frames


def _near(train: dict[int, int], val: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Index in train and in val, of the frames of val that have one of train next to them."""
    numbers = np.array(sorted({*train, *val}))
    if len(numbers) < LEAST_FRAMES:
        return
    gap = NEAR * float(np.median(np.diff(numbers)))
    seen = np.array(sorted(train))
    for number, place in val.items():
        beside = int(seen[np.abs(seen - number).argmin()])
        between = np.count_nonzero((numbers > min(number, beside)) & (numbers < max(number, beside)))
        if abs(beside - number) <= gap and not between:
            yield train[beside], place


def _look_alike(train: Thumbnails, val: Thumbnails, near: Pairs) -> bool:
    """Whether neighbours differ less than frames that are drawn from both without looking."""
    first, second = np.array(near).T
    beside = differences(train.looks[first], val.looks[second])
    any_two = differences(train.looks[first], val.looks[np.roll(second, len(near) // 2)])
    return bool(np.median(beside) <= ALIKE * np.median(any_two))
