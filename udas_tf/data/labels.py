"""From the values that a label holds to the train ids of a run's class set.

Some files can be read in two ways. The indices of a palette image may be ids, or stand for its colours. Three equal
channels, or the red one alone, may be ids or a colour. 255 may be white. Where the legend knows all values in one of
the two ways, that one counts. Where it knows them in both, `udas_tf.data.label_survey` has looked at some files of the
set; what these leave open is decided file by file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from udas_tf.data import class_map, image_files
from udas_tf.data.class_file import ClassFile
from udas_tf.data.class_map import ClassMap
from udas_tf.data.class_sets import train_ids
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.taxonomy import IGNORE, ClassSet

UNKNOWN = 254  # in tables from values to train ids: the legend does not have this value
LISTED_VALUES = 8  # that an error lists
EVERY_COLOUR = 1 << 24
MINUS_ONE = np.iinfo(np.uint16).max  # what -1 becomes in 16 bits without a sign
INSTANCES = 1_000  # ids of instances are often this many times the id of their class, and more

Colour = tuple[int, int, int]
Kind = Literal["grey", "palette", "colour"]  # of a file
Reading = Literal["ids", "colours"]


@dataclasses.dataclass(frozen=True, eq=False)
class Legend:
    """Which class each value of a label stands for.

    Attributes:
      ids: value in one channel, from 0, or -1 -> class name; None = ignored.
      colours: (red, green, blue) -> class name; None = ignored; empty where labels are never in colours.
      instances: values from this one on are an id times this, plus the number of an instance; None = values are ids.
      nearest: whether a colour that the legend lacks stands for the nearest one; else its label is refused.
      described: whether a classes.yaml says, or may say, what values mean.
    """

    ids: Mapping[int, str | None] = dataclasses.field(default_factory=dict)
    colours: Mapping[Colour, str | None] = dataclasses.field(default_factory=dict)
    instances: int | None = None
    nearest: bool = False
    described: bool = False


@dataclasses.dataclass(frozen=True)
class RawLabel:
    """A label as the data set has it.

    Attributes:
      values: ids [h, w] of any integer type, or colours uint8 [h, w, 3].
      legend: what the values mean. It may be another one for each image.
      palette: the colours of the ids, uint8 [n, 3], where the file has them.
    """

    values: np.ndarray
    legend: Legend
    palette: np.ndarray | None = None

    @property
    def kind(self) -> Kind:
        if self.values.ndim == 3:
            return "colour"
        return "grey" if self.palette is None else "palette"


@dataclasses.dataclass(frozen=True)
class Labels:
    """How the labels of a data set are read.

    Attributes:
      classes: the class set that the legends lead to.
      read: a pair that has a label -> the label; Unusable where it cannot be read.
      prefer: how files of a kind are read whose values are known as ids and as colours, where something says it.
      assumed: whether nothing says what ids mean, and they are taken for the train ids of `classes`.
      class_map: the user's, from `classes` to those of a run; None = a declared one, or the same names.
    """

    classes: ClassSet
    read: Callable[[Pair], RawLabel]
    prefer: Mapping[Kind, Reading] = dataclasses.field(default_factory=dict)
    assumed: bool = False
    class_map: ClassMap | None = None

    def reader(self, classes: ClassSet) -> Callable[[Pair], np.ndarray]:
        """What reads the label of a pair as train ids of `classes`, uint8 [h, w]. Errors as for `counting_reader`."""
        read = self.counting_reader(classes)
        return lambda pair: read(pair)[0]

    def counting_reader(self, classes: ClassSet) -> Callable[[Pair], tuple[np.ndarray, int]]:
        """What reads a label as `reader` does, and counts the pixels that took the nearest colour of the legend.

        It raises Unusable also for a label with a value that its legend does not have; UserError here when the data
        set's classes do not go into `classes`.
        """
        readings = self.readings(classes)

        def read(pair: Pair) -> tuple[np.ndarray, int]:
            label = readings(pair)
            prefer = self.prefer.get(label.raw.kind)
            chosen = label.chosen(prefer)
            if chosen is not None:
                return chosen, 0
            if label.may_take_nearest(prefer):
                return label.nearest()
            raise Unusable(pair.label or pair.image, label.unknown())

        return read

    def readings(self, classes: ClassSet) -> Callable[[Pair], Readings]:
        """What reads the label of a pair in both ways. UserError where the classes do not go into `classes`."""
        into = train_ids(self.classes, classes, self.class_map)
        places = {name: int(into[number]) for number, name in enumerate(self.classes.classes)}
        # Data sets whose images all have one legend make its tables once; two, as threads may be between two images.
        tables_of = functools.lru_cache(maxsize=2)(functools.partial(_tables, places))

        def read(pair: Pair) -> Readings:
            raw = self.read(pair)
            return Readings(raw, tables_of(raw.legend))

        return read


def of_files(
    classes: ClassSet, legend: Legend, decode: Callable[[Path], np.ndarray] | None = None, assumed: bool = False
) -> Labels:
    """Labels that are image files with one legend.

    Args:
      classes, assumed: as in `Labels`.
      legend: of all files.
      decode: path -> ids [h, w] or colours [h, w, 3]; None = as `image_files` reads labels, with their palettes.
    """

    def read(pair: Pair) -> RawLabel:
        path = pair.label or pair.image
        if decode is not None:
            return RawLabel(decode(path), legend)
        values, palette = image_files.read_label_and_palette(path)
        return RawLabel(values, legend, palette)

    return Labels(classes, read, assumed=assumed)


def of_class_file(described: ClassFile) -> Labels:
    """Label files as a classes.yaml says: ids in one channel, or colours of classes."""
    legend = Legend(described.ids, described.colours, described.instances, described.nearest, described=True)
    labels = of_files(described.classes, legend, assumed=described.assumed)
    if described.class_map is not None:
        labels = dataclasses.replace(labels, class_map=class_map.read(described.class_map))
    return labels if described.palette is None else dataclasses.replace(labels, prefer={"palette": described.palette})


class Tables(NamedTuple):
    """Train ids by value, uint8, UNKNOWN where the legend lacks it.

    Attributes:
      ids: by id; the last entry is that of all higher ids.
      minus_one: of the id -1.
      colours: by packed colour; None where the legend has no colours.
    """

    ids: np.ndarray
    minus_one: int
    colours: np.ndarray | None


def _tables(places: Mapping[str, int], legend: Legend) -> Tables:
    """The tables of a legend whose classes have the train ids `places`."""
    ids = {value: IGNORE if name is None else places[name] for value, name in legend.ids.items()}
    minus_one = ids.pop(-1, UNKNOWN)
    colours = {
        red << 16 | green << 8 | blue: IGNORE if name is None else places[name]
        for (red, green, blue), name in legend.colours.items()
    }
    length = max(ids, default=0) + 2
    return Tables(_table(ids, length), minus_one, _table(colours, EVERY_COLOUR) if colours else None)


def _table(train_id_of: Mapping[int, int], length: int) -> np.ndarray:
    table = np.full(length, UNKNOWN, np.uint8)
    for value, train_id in train_id_of.items():
        table[value] = train_id
    return table


class Readings:
    """The two ways in which a label can be read, each computed when it is first asked for.

    Attributes:
      raw: the label.
      tables: of its legend.
    """

    def __init__(self, raw: RawLabel, tables: Tables) -> None:
        self.raw, self.tables = raw, tables

    def chosen(self, prefer: Reading | None) -> np.ndarray | None:
        """Its train ids, uint8 [h, w]; None where the legend knows all values in neither way.

        Args:
          prefer: the way that counts where the legend knows them in both; None = as the file itself suggests.
        """
        by_colours = (prefer or self._suggested()) == "colours"
        if by_colours and knows_all(self.colours):
            return self.colours
        if knows_all(self.ids):
            return self.ids
        return self.colours if knows_all(self.colours) else None

    def _suggested(self) -> Reading:
        """Colours, but of one channel, and of a palette in which no colour is that of a class."""
        if self.raw.kind == "grey":
            return "ids"
        if self.raw.palette is None or names_a_class(self.colours) or self.tables.colours is None:
            return "colours"
        return "colours" if names_a_class(self.tables.colours[_packed(self.raw.palette)]) else "ids"

    @functools.cached_property
    def ids(self) -> np.ndarray | None:
        """The train ids of its values as ids; None where three channels hold no ids."""
        values = self.id_values
        if values is None:
            return None
        train_id = np.take(self.tables.ids, values, mode="clip")
        if np.issubdtype(values.dtype, np.signedinteger) and np.any(values < 0):
            train_id[values < 0] = UNKNOWN
            train_id[values == -1] = self.tables.minus_one
        elif values.dtype == np.uint16 and self.tables.minus_one != UNKNOWN and MINUS_ONE not in self.raw.legend.ids:
            train_id[values == MINUS_ONE] = self.tables.minus_one
        return train_id

    @functools.cached_property
    def id_values(self) -> np.ndarray | None:
        """Ids [h, w]: of one channel, of three equal ones, or of the red one where the others are 0; else None."""
        values, instances = self.raw.values, self.raw.legend.instances
        if values.ndim == 3:
            red, green, blue = np.moveaxis(values, -1, 0)
            if not np.array_equal(green, blue) or (green.any() and not np.array_equal(red, green)):
                return None
            values = red
        return values if instances is None else np.where(values >= instances, values // instances, values)

    @functools.cached_property
    def colours(self) -> np.ndarray | None:
        """The train ids of its values as colours; None where it has no colours, or its legend has none."""
        values, table = self.raw.values, self.tables.colours
        if table is None:
            return None
        if values.ndim == 3:
            return np.take(table, self.packed, mode="clip")
        return np.take(table[self._packed_entries()], values) if values.dtype == np.uint8 else None

    @functools.cached_property
    def packed(self) -> np.ndarray:
        """One integer for the colour of each pixel, int32 [h, w]; for labels that have colours."""
        values = self.raw.values
        return _packed(values) if values.ndim == 3 else self._packed_entries()[values]

    def _packed_entries(self) -> np.ndarray:
        """One integer for the colour of each of 256 indices, int32: of the palette, or the greys."""
        palette = self.raw.palette
        if palette is None:
            return np.arange(256, dtype=np.int32) * 0x010101
        entries = np.zeros(256, np.int32)
        entries[: len(palette)] = _packed(palette)
        return entries

    def may_take_nearest(self, prefer: Reading | None) -> bool:
        """Whether colours that the legend lacks stand for the nearest one: never for what is rather an id."""
        has_colours = self.colours is not None and (self.raw.kind != "grey" or prefer == "colours")
        return self.raw.legend.nearest and has_colours

    def nearest(self) -> tuple[np.ndarray, int]:
        """The train ids of the nearest colours that the legend has, and how many pixels have none of its colours."""
        if self.colours is None or self.tables.colours is None:
            raise ValueError("a label without colours has no nearest ones")
        unknown = self.colours == UNKNOWN
        values, place = np.unique(self.packed[unknown], return_inverse=True)
        known = np.array(list(self.raw.legend.colours), np.int32)
        distance = np.square(_unpacked(values)[:, None] - known).sum(axis=-1)
        train_ids = self.colours.copy()
        train_ids[unknown] = self.tables.colours[_packed(known)[distance.argmin(axis=1)]][place]
        return train_ids, int(np.count_nonzero(unknown))

    def unknown(self) -> str:
        """Which values the legend lacks, in words, for a label that it knows in neither way."""
        if self.raw.kind == "colour" and self.colours is not None:
            return _listed("colours", self.packed[self.colours == UNKNOWN], "#{:06x}".format) + self._remedy("colours")
        if self.id_values is None or self.ids is None:
            return "is an RGB label; expected one channel of ids, three equal ones, or red alone"
        values = self.id_values[self.ids == UNKNOWN]
        return _listed("label ids", values, str) + self._remedy("ids", np.unique(values))

    def _remedy(self, what: Reading, values: np.ndarray | None = None) -> str:
        """What the user may write into a classes.yaml; "" where it would not be read."""
        if not self.raw.legend.described:
            return ""
        if values is not None and values.min() >= INSTANCES and not set(values // INSTANCES) - set(self.raw.legend.ids):
            return f"; they are the ids of instances if classes.yaml says `instances: {INSTANCES}`"
        between = ", and `between: nearest` gives those between two classes the nearer one" if what == "colours" else ""
        return f"; `{what}` in classes.yaml says which class a value is, null = ignored{between}"


def knows_all(train_id: np.ndarray | None) -> bool:
    """Whether the legend has every value; False for a reading that there is not."""
    return train_id is not None and not np.any(train_id == UNKNOWN)


def names_a_class(train_id: np.ndarray | None) -> bool:
    """Whether any value is that of a class, neither ignored nor unknown."""
    return train_id is not None and bool(np.any(train_id < UNKNOWN))


def _packed(colours: np.ndarray) -> np.ndarray:
    """One integer for each (red, green, blue): [..., 3] -> int32 [...]."""
    packed = colours[..., 0].astype(np.int32)
    for channel in (1, 2):
        packed <<= 8  # in place: half the time
        packed |= colours[..., channel]
    return packed


def _unpacked(packed: np.ndarray) -> np.ndarray:
    """(red, green, blue) of each integer: [...] -> int32 [..., 3]."""
    return np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1)


def _listed(what: str, values: np.ndarray, text: Callable[[int], str]) -> str:
    distinct = np.unique(values).tolist()
    more = "" if len(distinct) <= LISTED_VALUES else f" and {len(distinct) - LISTED_VALUES} more"
    return f"holds {what} outside the map of its data set: {', '.join(map(text, distinct[:LISTED_VALUES]))}{more}"
