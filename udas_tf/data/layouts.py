"""Where published data sets keep their files: for a split, the pairs of image and label, and how labels are coded.

Each `find_...` takes the root of a data set and the name of a split, and returns what is there; `Found.pairs` is empty
where the split is not.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from udas_tf import taxonomy
from udas_tf.data import class_file, image_files
from udas_tf.data.class_file import ClassFile
from udas_tf.data.image_files import LabelCode, Unusable
from udas_tf.data.records import Skipped
from udas_tf.data.splits import Pair
from udas_tf.errors import UserError

PROBED_LABELS = 8  # label files whose content is looked at to tell Cityscapes' two codes apart
LABEL_IDS, TRAIN_IDS = "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"


@dataclasses.dataclass(frozen=True)
class Found:
    """The files of a split.

    Attributes:
      pairs: in the order of their names.
      code: what their labels hold; None stands for train ids of whatever class set a run has.
      orphans: label files without an image.
      warnings: what a user should know of them.
    """

    pairs: list[Pair]
    code: LabelCode | None
    orphans: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()


GTA5_CODE = LabelCode(taxonomy.CITYSCAPES, taxonomy.GTA5_IDS)
SYNTHIA_CODE = LabelCode(taxonomy.CITYSCAPES, taxonomy.SYNTHIA_IDS, read=image_files.read_first_channel)
CITYSCAPES_LABEL_IDS_CODE = LabelCode(taxonomy.CITYSCAPES, taxonomy.CITYSCAPES_LABEL_IDS)
CITYSCAPES_TRAIN_IDS_CODE = LabelCode(taxonomy.CITYSCAPES, class_file.train_ids_of(taxonomy.CITYSCAPES).ids)
# The index PNGs hold 11 where SegNet's tutorial ignores.
CAMVID_CODE = LabelCode(
    taxonomy.CAMVID,
    {**class_file.train_ids_of(taxonomy.CAMVID).ids, 11: None},
    taxonomy.CAMVID_COLOURS,
)


def find_gta5(root: Path, split: str) -> Found:
    """images/NAME.png and labels/NAME.png, all of it "train"; labels are palette PNGs of Cityscapes' labelIds."""
    if split != "train":
        return Found([], GTA5_CODE)
    return _paired(root / "images", root / "labels", GTA5_CODE)


def find_synthia(root: Path, split: str) -> Found:
    """RGB/NAME.png and GT/LABELS/NAME.png, all of it "train"; labels are 16-bit PNGs of (class, instance, 0)."""
    if split != "train":
        return Found([], SYNTHIA_CODE)
    return _paired(root / "RGB", root / "GT" / "LABELS", SYNTHIA_CODE)


def find_cityscapes(root: Path, split: str) -> Found:
    """leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png and gtFine/SPLIT/CITY/NAME_gtFine_label{,Train}Ids.png.

    The labels of "test" are published as dummies, in which every pixel is ignored, and "train_extra" has none: both
    are found without labels.
    """
    images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
    folder = root / "gtFine" / split
    labels = {ending: set(folder.glob(f"*/*{ending}")) for ending in (LABEL_IDS, TRAIN_IDS)}
    ending = TRAIN_IDS if len(labels[TRAIN_IDS]) > len(labels[LABEL_IDS]) else LABEL_IDS
    there = set() if split in ("test", "train_extra") else labels[ending]
    pairs = []
    for image in images:
        name = image.name.removesuffix("_leftImg8bit.png")
        label = folder / image.parent.name / f"{name}{ending}"
        pairs.append(Pair(name, image, label, label in there))
    code, warnings = _cityscapes_code([pair.label for pair in pairs if pair.labelled], ending)
    return Found(pairs, code, _orphans(there, pairs), warnings)


def find_camvid(root: Path, split: str) -> Found:
    """701_StillsRaw_full/NAME.png and LabeledApproved_full/NAME_L.png of 32 colours, with SegNet's split; or, of eleven ids,
    SPLIT/NAME.png and SPLITannot/NAME.png as in SegNet's tutorial, or SPLIT/images/NAME.* and SPLIT/labels/NAME.png.
    """
    images, labels = root / "701_StillsRaw_full", root / "LabeledApproved_full"
    if (root / f"{split}annot").is_dir():
        return _paired(root / split, root / f"{split}annot", CAMVID_CODE)
    if not images.is_dir():
        return _paired(root / split / "images", root / split / "labels", CAMVID_CODE)
    found = _paired(images, labels, CAMVID_CODE, label_ending="_L.png")
    pairs = [pair for pair in found.pairs if _camvid_split(pair.name) == split]
    return dataclasses.replace(found, pairs=pairs, orphans=found.orphans if split == "train" else ())


def find_folder(root: Path, split: str) -> Found:
    """ROOT/SPLIT/images/NAME.* and ROOT/SPLIT/labels/NAME.png, or images alone in ROOT/SPLIT; "train" is also found in
    ROOT itself. ROOT/classes.yaml says what labels mean; without it they hold train ids.
    """
    described = root / class_file.FILE_NAME
    code = folder_code(class_file.read(described)) if described.is_file() else None
    places = [root / split, root] if split == "train" else [root / split]
    for place in places:
        if (place / "images").is_dir():
            return _paired(place / "images", place / "labels", code)
        if any(path.suffix.lower() in image_files.SUFFIXES for path in place.glob("*")):
            return _paired(place, place / "labels", code)
    return Found([], code)


def folder_code(described: ClassFile) -> LabelCode:
    """Labels of one channel as a classes.yaml says; RGB labels in the colours of its classes, black = ignored."""
    classes = described.classes
    colours = {(0, 0, 0): None, **dict(zip(classes.colours, classes.classes, strict=True))}
    distinct = len(set(classes.colours)) == len(classes)
    return LabelCode(classes, described.ids, colours if distinct else {})


def _paired(images: Path, labels: Path, code: LabelCode | None, label_ending: str = ".png") -> Found:
    """The images of a folder, each with the label of its name in another."""
    files = sorted(path for path in images.glob("*") if path.suffix.lower() in image_files.SUFFIXES)
    for first, second in itertools.pairwise(files):
        if first.stem == second.stem:
            raise UserError(f"{first} and {second} have one name, and would share a label; rename one")
    there = set(labels.glob(f"*{label_ending}"))
    pairs = []
    for image in files:
        label = labels / f"{image.stem}{label_ending}"
        pairs.append(Pair(image.stem, image, label, label in there))
    return Found(pairs, code, _orphans(there, pairs))


def _orphans(labels: Iterable[Path], pairs: list[Pair]) -> tuple[Skipped, ...]:
    without_image = set(labels) - {pair.label for pair in pairs}
    return tuple(Skipped(str(label), "is a label without an image") for label in sorted(without_image))


def _cityscapes_code(labels: list[Path], ending: str) -> tuple[LabelCode, tuple[str, ...]]:
    """What the labels hold, by their content; by their name where that does not tell. And a warning if they disagree.

    Ids 19 to 33 and no 255 are labelIds, 255 and none of those trainIds.
    """
    votes = Counter()
    for path in labels[:: max(1, len(labels) // PROBED_LABELS)]:
        try:
            held = np.unique(image_files.read_label(path))
        except Unusable:
            continue  # it is listed when its turn comes
        high, ignored = bool(np.any((held > 18) & (held < 34))), 255 in held
        if high != ignored:
            votes[TRAIN_IDS if ignored else LABEL_IDS] += 1
    by_content = votes.most_common(1)[0][0] if votes else ending
    code = CITYSCAPES_TRAIN_IDS_CODE if by_content == TRAIN_IDS else CITYSCAPES_LABEL_IDS_CODE
    if by_content == ending:
        return code, ()
    told = {LABEL_IDS: "labelIds", TRAIN_IDS: "trainIds"}
    return code, (f"labels called *{ending} hold {told[by_content]} and are read as such",)


def _camvid_split(name: str) -> str:
    """The split of a frame in SegNet's tutorial: 367 train, 101 val and 233 test frames of the 701."""
    sequence, _, frame = name.rpartition("_")
    number = int("".join(filter(str.isdigit, frame)) or 0)
    if sequence == "0016E5" and 7959 <= number <= 8159:
        return "val"
    if sequence == "Seq05VD" or (sequence == "0001TP" and number >= 8550):
        return "test"
    return "train"
