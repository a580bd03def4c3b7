"""A folder of one's own: images, their labels, and a classes.yaml that says what the labels mean."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from udas_tf.data import class_file
from udas_tf.data.labels import of_class_file
from udas_tf.data.sample import path_text
from udas_tf.data.split_files import SplitFiles, listing, paired
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "images/ and, where there are labels, labels/, in SPLIT/ or for train alone in it, with the same subfolders in "
    "both; or images alone; classes.yaml says what the labels mean"
)
LABELLED = ()
CLASS_SET = "cityscapes"
SPLITS = ("train", "val", "test", "train_extra")
ASIDE = ("labels", *SPLITS, *class_file.FILE_NAMES)  # beside images alone


def find(root: Path, split: str) -> SplitFiles:
    """ROOT/SPLIT/images/NAME.* and ROOT/SPLIT/labels/NAME.*, or images alone in ROOT/SPLIT.

    "train" may also lie in ROOT itself. Below images/ and labels/ there may be subfolders. Without a classes.yaml in
    ROOT, labels hold train ids.

    Raises:
      UserError: two images or class files of one name, or ROOT/SPLIT has images in subfolders alone.
    """
    described = class_file.find(root)
    how = of_class_file(class_file.read(described)) if described else None
    place = _place(root, split)
    if place is None:
        _refuse_subfolders(root / split)
        return SplitFiles([])
    if (place / "images").is_dir():
        files = paired(place / "images", place / "labels", how)
    else:
        files = paired(place, place / "labels", how, nested=False, aside=ASIDE)
    warnings = _left_out(root, place) if split == "train" else ()
    return dataclasses.replace(files, warnings=(*files.warnings, *warnings))


def _place(root: Path, split: str) -> Path | None:
    """The folder that holds a split: images/ with images in it, or images; None where there are none."""
    for place in (root / split, root) if split == "train" else (root / split,):
        if (place / "images").is_dir() or listing(place, nested=False, aside=ASIDE).images:
            return place
    return None


def _refuse_subfolders(folder: Path) -> None:
    skipped = [file for file in listing(folder, nested=False, aside=ASIDE).skipped if Path(file.path).is_dir()]
    if skipped:
        raise UserError(f"{skipped[0].path} {skipped[0].reason}; move the subfolders into {folder / 'images'}")


def _left_out(root: Path, place: Path) -> tuple[str, ...]:
    """A warning of each folder that looks like a split and is none."""
    folders = sorted(
        path for path in root.iterdir() if path.is_dir() and path.name not in (*SPLITS, "images", "labels")
    )
    warnings = [
        f"{path_text(folder)} holds images/ and is not read; the splits are called {', '.join(SPLITS)}"
        for folder in folders
        if (folder / "images").is_dir()
    ]
    if place != root and (root / "images").is_dir():
        warnings.append(f"{path_text(root / 'images')} is not read, as {path_text(place)} holds the split train")
    return tuple(warnings)


def own_classes(root: Path) -> ClassSet | None:
    """The class set of the folder's classes.yaml; None without one."""
    described = class_file.find(root)
    return class_file.read(described).classes if described else None


def recognise(root: Path) -> str | None:
    """A folder of images, of any kind."""
    for split in ("train", "val"):
        place = _place(root, split)
        if place and listing(place / "images" if (place / "images").is_dir() else place, aside=ASIDE).images:
            return f"images for {split}"
    return None
