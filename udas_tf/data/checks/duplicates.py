"""Whether images of the target's training set are in its validation set too, also encoded again or resized."""

from __future__ import annotations

import numpy as np

from udas_tf.data.checks.thumbnails import FLAT, Thumbnails
from udas_tf.data.gap.findings import Finding

MOST_TURNED = 4  # of the 64 signs in the hashes of one image
MOST_DIFFERENCE = 15.0  # grey levels, in any cell of the copies; JPEG of half the size makes 9, another object 23
MOST_OF_CONTRAST = 1.0  # the same, in deviations of the copy: images at night hardly differ
NAMED = 3  # pairs that a warning names


def findings(train: Thumbnails, val: Thumbnails) -> list[Finding]:
    """A warning where images of `val` are those of `train`."""
    same = pairs(train, val)
    if not same:
        return []
    named = ", ".join(f"{val_name} = {train_name}" for train_name, val_name in same[:NAMED])
    more = f" and {len(same) - NAMED} more" if len(same) > NAMED else ""
    return [
        Finding(
            "in_train_and_val",
            f"{len(same)} of {len(val)} validation images of the target are among its training images too: "
            f"{named}{more}; scores on them are too high",
            "remove them from one of the two splits",
        )
    ]


def pairs(train: Thumbnails, val: Thumbnails) -> list[tuple[str, str]]:
    """(name in train, name in val) of the images that are the same; at most one for each image of val."""
    same = []
    clear, contrasts = train.contrasts >= FLAT, val.contrasts
    for number in np.flatnonzero(contrasts >= FLAT).tolist():
        turned = np.count_nonzero(train.hashes * val.hashes[number] == -1, axis=1)
        near = np.flatnonzero(clear & (turned <= MOST_TURNED))
        apart = np.abs(train.looks[near] - val.looks[number]).max(axis=(1, 2))
        if len(near) and apart.min() <= min(MOST_DIFFERENCE, MOST_OF_CONTRAST * contrasts[number]):
            same.append((train.names[int(near[apart.argmin()])], val.names[number]))
    return same
