"""IDD: photographs of roads in India, finely labelled with polygons [Varma 2019, arXiv:1811.10200].

The form: the archives of IDD Segmentation, idd.insaan.iiit.ac.in, and github.com/AutoNUE/public-code, which draws
labels from the polygons (json2labelImg.py) and says what becomes of a class among Cityscapes' ones (csTrainId in
anue_labels.py). Labels are drawn here as there, with Pillow, one polygon over the other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import matched
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.split_files import SplitFiles

LAYOUT = "leftImg8bit/SPLIT/NUMBER/*_leftImg8bit.png or .jpg, and gtFine/SPLIT/NUMBER/*_gtFine_polygons.json"
PUBLISHED = {"train": 6_993, "val": 981, "test": 2_029}  # IDD 20k, part 1
LABELLED = ("train", "val")
CLASS_SET = "cityscapes"

# Name of an object -> class; the position of a name is its id.
OBJECTS: dict[str, str | None] = {
    "road": "road",
    "parking": None,
    "drivable fallback": None,
    "sidewalk": "sidewalk",
    "rail track": None,
    "non-drivable fallback": "terrain",
    "person": "person",
    "animal": None,
    "rider": "rider",
    "motorcycle": "motorcycle",
    "bicycle": "bicycle",
    "autorickshaw": None,
    "car": "car",
    "truck": "truck",
    "bus": "bus",
    "caravan": None,
    "trailer": None,
    "train": "train",
    "vehicle fallback": None,
    "curb": None,
    "wall": "wall",
    "fence": "fence",
    "guard rail": None,
    "billboard": None,
    "traffic sign": "traffic sign",
    "traffic light": "traffic light",
    "pole": "pole",
    "polegroup": None,
    "obs-str-bar-fallback": None,
    "building": "building",
    "bridge": None,
    "tunnel": None,
    "vegetation": "vegetation",
    "sky": "sky",
    "fallback background": None,
    "unlabeled": None,
    "ego vehicle": None,
    "rectification border": None,
    "out of roi": None,
    "license plate": None,
}
IDS = {name: number for number, name in enumerate(OBJECTS)}
LEGEND = Legend(dict(enumerate(OBJECTS.values())))
GROUP = "group"  # "cargroup" is a car


def find(root: Path, split: str) -> SplitFiles:
    """leftImg8bit/SPLIT/NUMBER/NAME_leftImg8bit.* and gtFine/SPLIT/NUMBER/NAME_gtFine_polygons.json.

    "test" has no labels. Images that AutoNUE's tools have made of the polygons are not read.
    """
    return matched(
        root / "leftImg8bit" / split,
        root / "gtFine" / split,
        "*_leftImg8bit.png",
        "*_gtFine_polygons.json",
        Labels(CITYSCAPES, read),
        beside=("*_gtFine_*",),
    )


def recognise(root: Path) -> str | None:
    """IDD's frames lie in leftImg8bit/SPLIT/NUMBER and end in _leftImg8bit; Cityscapes has cities for numbers."""
    frames = (root / "leftImg8bit").glob("*/*/*_leftImg8bit.*")
    if any(frame.parent.name.isdecimal() for frame in frames):
        return "leftImg8bit/SPLIT/NUMBER/*_leftImg8bit.*"
    return None


def read(pair: Pair) -> RawLabel:
    """Draws the polygons of a label in their order; Unusable where they are not of the form, or of an unknown class."""
    path = pair.label or pair.image
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        label = Image.new("L", (int(content["imgWidth"]), int(content["imgHeight"])), IDS["unlabeled"])
        drawing = ImageDraw.Draw(label)
        for entry in content["objects"]:
            if not entry.get("deleted"):
                corners = [(float(x), float(y)) for x, y in entry["polygon"]]
                drawing.polygon(corners, fill=_id(path, str(entry["label"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(path, f"is no file of IDD's polygons: {type(error).__name__}: {error}") from error
    return RawLabel(np.asarray(label), LEGEND)


def _id(path: Path, name: str) -> int:
    one = name if name in IDS else name.removesuffix(GROUP)
    if one not in IDS:
        raise Unusable(path, f"has an object called {name!r}, which is no class of IDD")
    return IDS[one]
