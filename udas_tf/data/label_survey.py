"""Looks at some labels of a set before all are read: how ambiguous files are meant, and what may be wrong with them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from udas_tf.data.class_sets import built_in
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Kind, Labels, Reading, Readings, knows_all
from udas_tf.taxonomy import IGNORE, ClassSet

SURVEYED = 16  # labels that are looked at, spread evenly over the set
WHITE = (255, 255, 255)
SEVERAL = 2  # labels from which on "in all" and "in none" mean something
HOW: dict[tuple[Kind, Reading], str] = {
    ("palette", "colours"): "palette images are read by their colours, not by their indices",
    ("colour", "ids"): "images of three channels hold ids in all three, or in red alone, and are read as ids",
}


def survey(labels: Labels, pairs: Sequence[Pair]) -> tuple[Labels, list[str]]:
    """The labels, with what their files suggest for ambiguous ones, and warnings of what is likely a mistake.

    Args:
      labels: of the set.
      pairs: of the set, of which the labelled ones count.
    """
    labelled = [pair for pair in pairs if pair.labelled]
    if not labelled:
        return labels, []
    read = labels.readings(labels.classes)
    seen: list[Readings] = []
    for pair in labelled[:: max(1, len(labelled) // SURVEYED)][:SURVEYED]:
        try:
            seen.append(read(pair))
        except Unusable:
            continue  # it is listed when its turn comes
        if not _says_something(labels, seen[-1]):
            return labels, []
    return _concluded(labels, seen)


def _says_something(labels: Labels, label: Readings) -> bool:
    """Whether more labels may say more: where ids and colours have a meaning, or the meaning of ids is assumed."""
    return labels.assumed or bool(label.raw.legend.ids and label.raw.legend.colours)


def _concluded(labels: Labels, seen: Sequence[Readings]) -> tuple[Labels, list[str]]:
    prefer = {**_preferences(seen), **_of_black_and_white(labels, seen), **labels.prefer}
    labels = dataclasses.replace(labels, prefer=prefer)
    read = [_Read.of(label, prefer.get(label.raw.kind)) for label in seen]
    how = {(one.kind, one.how) for one in read}
    warnings = [f"labels: {text}" for kind_and_reading, text in HOW.items() if kind_and_reading in how]
    if labels.assumed:
        warnings += _black_and_white(labels, seen) or _off_by_one(labels.classes, read)
    return labels, warnings + _between(read)


@dataclasses.dataclass(frozen=True)
class _Read:
    """How a label was read.

    Attributes:
      kind: of the file.
      how: None where the legend knows its values in neither way.
      ids: that it holds; none where it is read by its colours.
      shown: train ids, those that are ignored not among them.
      pixels, without_colour: how many there are, and how many of them take the nearest colour.
    """

    kind: Kind
    how: Reading | None
    ids: frozenset[int]
    shown: frozenset[int]
    pixels: int
    without_colour: int

    @classmethod
    def of(cls, label: Readings, prefer: Reading | None) -> _Read:
        chosen, nearest = label.chosen(prefer), 0
        how: Reading | None = None
        if chosen is not None:
            how = "colours" if chosen is label.colours else "ids"
        elif label.may_take_nearest(prefer):
            how, (chosen, nearest) = "colours", label.nearest()
        ids = _distinct(label.id_values) if how != "colours" else frozenset()
        return cls(label.raw.kind, how, ids, _distinct(chosen) - {IGNORE}, label.raw.values[..., 0].size, nearest)


def _distinct(values: np.ndarray | None) -> frozenset[int]:
    if values is None:
        return frozenset()
    if values.dtype == np.uint8:  # many times as fast as sorting them
        return frozenset(np.flatnonzero(np.bincount(values.ravel())).tolist())
    return frozenset(np.unique(values).tolist())


def _preferences(seen: Sequence[Readings]) -> dict[Kind, Reading]:
    """For each kind of file the reading that some files allow alone; nothing for a kind where they differ."""
    only: dict[Kind, set[Reading]] = {}
    for label in seen:
        ids = knows_all(label.ids)
        if ids and label.raw.kind == "grey":
            continue  # that is how it is read in any case
        if ids != knows_all(label.colours):
            only.setdefault(label.raw.kind, set()).add("ids" if ids else "colours")
    return {kind: next(iter(readings)) for kind, readings in only.items() if len(readings) == 1}


def _of_black_and_white(labels: Labels, seen: Sequence[Readings]) -> dict[Kind, Reading]:
    """Grey labels are colours where they are black and white, white is a class, and nothing says what 255 means."""
    white = labels.classes.colours.count(WHITE) == 1
    return {"grey": "colours"} if labels.assumed and white and _is_black_and_white(seen) else {}


def _is_black_and_white(seen: Sequence[Readings]) -> bool:
    """Whether labels of one channel hold 0 and 255 alone."""
    grey = [label for label in seen if label.raw.kind == "grey"]
    return frozenset().union(*(_distinct(label.id_values) for label in grey)) == {0, IGNORE}


def _black_and_white(labels: Labels, seen: Sequence[Readings]) -> list[str]:
    if not _is_black_and_white(seen):
        return []
    first, second = labels.classes.classes[:2]
    if labels.prefer.get("grey") == "colours":
        white = labels.classes.classes[labels.classes.colours.index(WHITE)]
        return [f"labels hold 0 and 255 alone; 255 is read as {white}, whose colour is white, and not as ignored"]
    remedy = f"if it is a class, `ids: {{0: {first}, 255: {second}}}` in classes.yaml says so"
    return [f"labels hold 0 and 255 alone; 0 is read as {first}, and 255 is ignored; {remedy}"]


def _off_by_one(classes: ClassSet, read: Sequence[_Read]) -> list[str]:
    """A warning where ids that are taken for train ids may be one too high or one too low."""
    count = len(classes)
    shifted = ", ".join(f"{number}: {name}" for number, name in enumerate(classes.classes[:2], start=1))
    remedy = f"if ids are off by one, `ids: {{0: null, {shifted}, ...}}` in classes.yaml says what they mean"
    ids = frozenset().union(*(label.ids for label in read)) - {IGNORE}
    if max(ids, default=0) == count:
        return [f"labels hold ids up to {count}, and the {count} classes have the ids 0 to {count - 1}; {remedy}"]
    shown = Counter(train_id for label in read for train_id in label.shown)
    always = [number for number in range(count) if shown[number] == len(read) >= SEVERAL]
    own = classes not in built_in().values()
    if always and 0 not in shown:
        never, instead = 0, always[0]
    elif 0 in always and count - 1 not in shown and own:
        never, instead = count - 1, 0
    else:
        return []
    names = classes.classes
    return [
        f"of the {len(read)} labels looked at, none shows {names[never]} ({never}), and all show "
        f"{names[instead]} ({instead}); {remedy}"
    ]


def _between(read: Sequence[_Read]) -> list[str]:
    """A warning where colours that no class has take the nearest one."""
    pixels, without = sum(label.pixels for label in read), sum(label.without_colour for label in read)
    if not without:
        return []
    return [f"labels: in those looked at, {without / pixels:.2%} of the pixels have no class's colour; see `between`"]
