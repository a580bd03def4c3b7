"""SYNTHIA: renderings of a virtual city; SYNTHIA-RAND-CITYSCAPES, SYNTHIA-SEQS and SYNTHIA-RAND [Ros 2016].

The form: README.txt of each archive, synthia-dataset.net, 2016. Ids mean the same in all up to 11, where cyclists are
bicycles.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import image_files, labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined
from udas_tf.data.labels import Colour, Legend
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = (
    "RGB/*.png and GT/LABELS/*.png (SYNTHIA-RAND-CITYSCAPES), the same with subfolders Stereo_*/Omni_* in both, in the "
    "root or in SYNTHIA-SEQS-*/ (SYNTHIA-SEQS), or RGB/*.png and GT/*.png in colours (SYNTHIA-RAND)"
)
PUBLISHED = {"train": 9_400}  # of SYNTHIA-RAND-CITYSCAPES
LABELLED = ("train",)
CLASS_SET = "cityscapes"

# Number of classes -> the classes that scores from SYNTHIA are published on: it draws no terrain, truck or train, and
# few walls, fences and poles.
SUBSETS = {
    subset: tuple(name for name in CITYSCAPES.classes if name not in without)
    for subset, without in (
        (16, ("terrain", "truck", "train")),
        (13, ("terrain", "truck", "train", "wall", "fence", "pole")),
    )
}

# README.txt of the data set. Parking slots, road works and lane markings belong to none of the nineteen classes; the
# literature ignores them too.
LEGEND = Legend(
    {
        0: None,  # void
        1: "sky",
        2: "building",
        3: "road",
        4: "sidewalk",
        5: "fence",
        6: "vegetation",
        7: "pole",
        8: "car",
        9: "traffic sign",
        10: "person",
        11: "bicycle",
        12: "motorcycle",
        13: None,  # parking slot
        14: None,  # road work
        15: "traffic light",
        16: "terrain",
        17: "rider",
        18: "truck",
        19: "bus",
        20: "train",
        21: "wall",
        22: None,  # lane marking
    }
)

# README.txt of SYNTHIA-SEQS: ids up to 11 are the same, 12 is lane marking, 13 and 14 are reserved.
LEGEND_OF_SEQUENCES = Legend(
    {**{id_: name for id_, name in LEGEND.ids.items() if id_ <= 11}, 12: None, 15: "traffic light"}
)
# The colours of the same file; SYNTHIA-RAND has its first eleven classes.
COLOURS: dict[Colour, str | None] = {
    (0, 0, 0): None,  # void
    (128, 128, 128): "sky",
    (128, 0, 0): "building",
    (128, 64, 128): "road",
    (0, 0, 192): "sidewalk",
    (64, 64, 128): "fence",
    (128, 128, 0): "vegetation",
    (192, 192, 128): "pole",
    (64, 0, 128): "car",
    (192, 128, 128): "traffic sign",
    (64, 64, 0): "person",
    (0, 128, 192): "bicycle",  # cyclist
}


def find(root: Path, split: str) -> SplitFiles:
    """The files of one of the three, all of it "train".

    GT/LABELS holds 16-bit PNGs of (class, instance, 0), in which the classes of SYNTHIA-SEQS have other ids; sequences
    are those that have Stereo_Left/ or Stereo_Right/. GT of SYNTHIA-RAND holds colours.
    """
    if split != "train":
        return SplitFiles([])
    sequences = _sequences(root)
    if sequences:
        how = labels.of_files(CITYSCAPES, LEGEND_OF_SEQUENCES, image_files.read_first_channel)
        parts = [(place.resolve().name, paired(place / "RGB", place / "GT" / "LABELS", None)) for place in sequences]
        return joined(parts, how)
    if _has_colours_alone(root):
        return paired(root / "RGB", root / "GT", labels.of_files(CITYSCAPES, Legend(colours=COLOURS)))
    how = labels.of_files(CITYSCAPES, LEGEND, image_files.read_first_channel)
    return paired(root / "RGB", root / "GT" / "LABELS", how)


def recognise(root: Path) -> str | None:
    """SYNTHIA has GT/LABELS beside RGB, in SYNTHIA-SEQS-*/ too; SYNTHIA-RAND has GTTXT, or images called *_Rand_*."""
    for place in (root, *_sequences(root)):
        if (place / "RGB").is_dir() and (place / "GT" / "LABELS").is_dir():
            return "RGB/ and GT/LABELS/" if place == root else f"{place.name}/RGB/ and GT/LABELS/"
    named = (root / "GTTXT").is_dir() or next((root / "RGB").glob("*_Rand_*.png"), None)
    return "RGB/ and GT/*.png" if named and _has_colours_alone(root) else None


def _sequences(root: Path) -> list[Path]:
    """The roots of SYNTHIA-SEQS: `root`, or folders in it."""
    places = (root, *sorted(root.glob("SYNTHIA-SEQS-*/")))
    return [place for place in places if next((place / "RGB").glob("Stereo_*/"), None)]


def _has_colours_alone(root: Path) -> bool:
    return not (root / "GT" / "LABELS").is_dir() and next((root / "GT").glob("*.png"), None) is not None
