"""Mapillary Vistas: photographs of streets of all continents, in 66 or 124 classes [Neuhold 2017].

The form: README of the archives v1.2 and v2.0, whose config files list the names of the classes. The value of a label
pixel is the position in that list. What becomes of a class follows the definitions of Cityscapes' classes,
cityscapes-dataset.com, "Dataset overview": markings, cycle lanes and manholes are road; curbs, traffic islands and
pedestrian areas are sidewalk; signs seen from behind, parking places, guard rails, bridges and tunnels are ignored.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.labels import Legend
from udas_tf.data.sample import path_text
from udas_tf.data.split_files import SplitFiles, paired
from udas_tf.errors import UserError

LAYOUT = (
    "FOLDER/images/*.jpg and FOLDER/v2.0/labels/*.png, FOLDER/v1.2/labels/*.png or FOLDER/labels/*.png, where FOLDER "
    "is training, validation or testing; config_v2.0.json, config_v1.2.json or config.json lists the classes"
)
PUBLISHED = {"train": 18_000, "val": 2_000, "test": 5_000}
LABELLED = ("train", "val")
CLASS_SET = "cityscapes"

FOLDERS = {"train": "training", "val": "validation", "test": "testing"}
# Folder of labels -> its config files, the finest classes first.
CONFIGS = {
    "v2.0/labels": ("config_v2.0.json",),
    "v1.2/labels": ("config_v1.2.json",),
    "labels": ("config.json", "config_v1.2.json"),
}

# Class of Mapillary Vistas -> class, of both versions. Beginnings of names that end in -- stand for all such classes.
CLASS_OF = {
    "construction--barrier--curb": "sidewalk",
    "construction--barrier--fence": "fence",
    "construction--barrier--wall": "wall",
    "construction--flat--bike-lane": "road",
    "construction--flat--crosswalk-plain": "road",
    "construction--flat--curb-cut": "sidewalk",
    "construction--flat--pedestrian-area": "sidewalk",
    "construction--flat--road": "road",
    "construction--flat--road-shoulder": "road",
    "construction--flat--service-lane": "road",
    "construction--flat--sidewalk": "sidewalk",
    "construction--flat--traffic-island": "sidewalk",
    "construction--structure--building": "building",
    "construction--structure--garage": "building",
    "human--person": "person",
    "human--person--": "person",
    "human--rider--": "rider",
    "marking--": "road",
    "marking-only--": "road",
    "nature--sand": "terrain",
    "nature--sky": "sky",
    "nature--terrain": "terrain",
    "nature--vegetation": "vegetation",
    "object--catch-basin": "road",
    "object--manhole": "road",
    "object--pothole": "road",
    "object--support--pole": "pole",
    "object--support--utility-pole": "pole",
    "object--traffic-light": "traffic light",
    "object--traffic-light--": "traffic light",
    "object--traffic-sign--direction-front": "traffic sign",
    "object--traffic-sign--front": "traffic sign",
    "object--traffic-sign--information-parking": "traffic sign",
    "object--traffic-sign--temporary-front": "traffic sign",
    "object--vehicle--bicycle": "bicycle",
    "object--vehicle--bus": "bus",
    "object--vehicle--car": "car",
    "object--vehicle--motorcycle": "motorcycle",
    "object--vehicle--on-rails": "train",
    "object--vehicle--truck": "truck",
}
IGNORED = {
    "animal--bird",
    "animal--ground-animal",
    "construction--barrier--ambiguous",
    "construction--barrier--concrete-block",
    "construction--barrier--guard-rail",
    "construction--barrier--other-barrier",
    "construction--barrier--road-median",
    "construction--barrier--road-side",
    "construction--barrier--separator",
    "construction--barrier--temporary",
    "construction--flat--driveway",
    "construction--flat--parking",
    "construction--flat--parking-aisle",
    "construction--flat--rail-track",
    "construction--structure--bridge",
    "construction--structure--tunnel",
    "nature--mountain",
    "nature--snow",
    "nature--water",
    "object--banner",
    "object--bench",
    "object--bike-rack",
    "object--billboard",
    "object--cctv-camera",
    "object--fire-hydrant",
    "object--junction-box",
    "object--mailbox",
    "object--parking-meter",
    "object--phone-booth",
    "object--sign--",
    "object--street-light",
    "object--support--pole-group",
    "object--support--traffic-sign-frame",
    "object--traffic-cone",
    "object--traffic-sign--ambiguous",
    "object--traffic-sign--back",
    "object--traffic-sign--direction-back",
    "object--traffic-sign--temporary-back",
    "object--trash-can",
    "object--vehicle--boat",
    "object--vehicle--caravan",
    "object--vehicle--other-vehicle",
    "object--vehicle--trailer",
    "object--vehicle--vehicle-group",
    "object--vehicle--wheeled-slow",
    "object--water-valve",
    "void--",
}
CLASSES_OF_BOTH: dict[str, str | None] = {**CLASS_OF, **dict.fromkeys(IGNORED)}


def find(root: Path, split: str) -> SplitFiles:
    """The files of training, validation or testing; where they have labels of both versions, those of v2.0.

    Raises:
      UserError: the config file of the labels is missing or not of the form.
    """
    folder = root / FOLDERS.get(split, split)
    if not (folder / "images").is_dir():
        return SplitFiles([])
    kind = next((kind for kind in CONFIGS if (folder / kind).is_dir()), None)
    if kind is None:
        return paired(folder / "images", folder / "labels", None)
    legend = _legend(_names(root, kind))
    return paired(folder / "images", folder / kind, labels.of_files(CITYSCAPES, legend))


def recognise(root: Path) -> str | None:
    """Mapillary Vistas has images/ in training/, validation/ or testing/, and a config file of its classes."""
    configs = sorted({name for names in CONFIGS.values() for name in names if (root / name).is_file()})
    folders = [name for name in FOLDERS.values() if (root / name / "images").is_dir()]
    return f"{folders[0]}/images and {configs[0]}" if folders and configs else None


def _names(root: Path, kind: str) -> list[str]:
    """The names of the classes in the order of their values, as the config file of a kind of labels lists them."""
    path = next((root / name for name in CONFIGS[kind] if (root / name).is_file()), None)
    if path is None:
        raise UserError(f"{root} lacks {CONFIGS[kind][0]}, which says what the labels in {kind} mean; unpack it there")
    try:
        content: Any = json.loads(path.read_bytes())
        return [str(label["name"]) for label in content["labels"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path_text(path)} does not list labels with their names: {error}") from error


def _legend(names: list[str]) -> Legend:
    """Values of classes that neither version has are left out: labels that hold them are refused."""
    keys = {value: _key(name) for value, name in enumerate(names)}
    return Legend({value: CLASSES_OF_BOTH[key] for value, key in keys.items() if key is not None})


def _key(name: str) -> str | None:
    """The name, or the beginning of it, under which a class is known."""
    if name in CLASSES_OF_BOTH:
        return name
    return next((key for key in CLASSES_OF_BOTH if key.endswith("--") and name.startswith(key)), None)
