"""WildDash 2: photographs of driving in difficult conditions, from all over the world [Zendel 2022].

The form: the archives wd_public_02.zip, whose labels/ hold label ids, and wd_public_v2p0.zip, whose panoptic/ and
panoptic.json are of COCO's panoptic form; wilddash.cc. Ids and names are those of Cityscapes and five more. What
becomes of these follows the definitions of Cityscapes' classes: vans are cars, pickups are trucks, markings are road.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from udas_tf.data import image_files, labels
from udas_tf.data import own_classes as own
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.own_classes import Value
from udas_tf.data.sample import path_text
from udas_tf.data.sets.cityscapes import LABEL_IDS
from udas_tf.data.split_files import SplitFiles, paired
from udas_tf.errors import UserError

LAYOUT = "images/*.jpg and labels/*.png, or images/*.jpg, panoptic/*.png and panoptic.json"
PUBLISHED = {"train": 4_256}
LABELLED = ("train",)
CLASS_SET = "cityscapes"

MORE = {"pickup": "truck", "van": "car", "billboard": None, "street-light": None, "road-marking": "road"}
LEGEND = Legend({**LABEL_IDS, **dict(enumerate(MORE.values(), start=34))})
# Name of a category -> class; names that Cityscapes' nineteen lack are ignored.
IGNORED = (
    *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "parking"),
    *("rail track", "guard rail", "bridge", "tunnel", "polegroup", "caravan", "trailer"),
)
CATEGORIES: dict[str, str | None] = {
    **{name: name for name in CITYSCAPES.classes},
    **MORE,
    **dict.fromkeys(IGNORED),
}
BLACK = (0, 0, 0)  # pixels of no segment
FRAME = re.compile(r"[a-z]{2}\d{4}_\d{6}")  # names of its images, such as aa0000_100000


@dataclasses.dataclass(frozen=True)
class Segmented(Pair):
    """An image, its panoptic label, and `segments`: (red, green, blue) -> name of the category."""

    segments: Mapping[Value, str] = dataclasses.field(default_factory=dict)


def find(root: Path, split: str) -> SplitFiles:
    """images/NAME.jpg, all of it "train", and labels/NAME.png; where there is no labels/, panoptic/NAME.png.

    Raises:
      UserError: panoptic.json is not of the form.
    """
    if split != "train":
        return SplitFiles([])
    if (root / "labels").is_dir():
        return paired(root / "images", root / "labels", labels.of_files(CITYSCAPES, LEGEND))
    files = paired(root / "images", root / "panoptic", Labels(CITYSCAPES, read))
    segments = _segments(root / "panoptic.json") if files.pairs else {}
    pairs = [
        Segmented(pair.name, pair.image, pair.label, pair.labelled, segments.get(f"{pair.name}.png", {}))
        for pair in files.pairs
    ]
    return dataclasses.replace(files, pairs=pairs)


def recognise(root: Path) -> str | None:
    """WildDash 2's images are called like aa0000_100000.jpg; labels/ or panoptic.json lies beside images/."""
    if not ((root / "labels").is_dir() or (root / "panoptic.json").is_file()):
        return None
    first = next((path for path in (root / "images").glob("*.jpg") if FRAME.fullmatch(path.stem)), None)
    return f"{first.relative_to(root)}, called as WildDash 2 calls images" if first else None


def read(pair: Pair) -> RawLabel:
    """Reads a panoptic label; Unusable for segments that panoptic.json lacks, or that are of an unknown category."""
    if not isinstance(pair, Segmented) or pair.label is None:
        raise TypeError(f"{pair} has no panoptic label")
    unknown = sorted(set(pair.segments.values()) - set(CATEGORIES))
    if unknown:
        raise Unusable(pair.label, f"has segments of {', '.join(unknown)}, which are no classes of WildDash 2")
    names: dict[Value, str | None] = {value: CATEGORIES[name] for value, name in pair.segments.items()}
    return own.raw_label(pair.label, image_files.read_label(pair.label), {BLACK: None, **names})


def _segments(path: Path) -> dict[str, dict[Value, str]]:
    """Label file -> (red, green, blue) -> name of the category. The id of a segment is red + 256 green + 65536 blue."""
    try:
        content: Any = json.loads(path.read_bytes())
        names = {int(category["id"]): str(category["name"]) for category in content["categories"]}
        return {
            str(entry["file_name"]): {
                tuple(int(segment["id"]).to_bytes(3, "little")): names[int(segment["category_id"])]
                for segment in entry["segments_info"]
            }
            for entry in content["annotations"]
        }
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{path_text(path)} is no list of segments of COCO's panoptic form: {reason}") from error
