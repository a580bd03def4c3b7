"""Images and labels that lie in two trees of folders, or in many folders, and share a part of their names."""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from udas_tf.data.image_files import Pair
from udas_tf.data.labels import Labels
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing, without_image
from udas_tf.errors import UserError


def matched(
    images: Path,
    labels: Path,
    image_name: str,
    label_name: str,
    how: Labels | None,
    beside: Collection[str] = (),
) -> SplitFiles:
    """The images below a folder, each with the label below another that has its subfolder and its part of the name.

    A name is written with a * for the part that image and label share: "*_leftImg8bit.png" and "*_labelIds.png", or
    "rgb_*.png" and "ss_*.png". Pairs are called SUBFOLDER/PART. Files may have another of the endings of images.

    Args:
      images, labels: the two folders.
      image_name, label_name: names of images and labels; labels may end in .json.
      how: how the labels are read, see `SplitFiles.labels`.
      beside: names, without their endings, of other files in `labels` that the publisher puts there, such as
        "*_labelColor". They are not read and not listed.

    Raises:
      UserError: two images differ in their endings alone.
    """
    there, label_files = listing(images), listing(labels)
    named, skipped = _by_part(there.images, images, image_name)
    described = [path for path in label_files.documents if _part(path, label_name) is not None]
    by_part, spare = _by_part((*label_files.images, *described), labels, label_name, beside)
    pairs = []
    for part, (image, *others) in named.items():
        if others:
            raise UserError(
                f"{path_text(image)} and {path_text(others[0])} have one name, and would share a label; rename one"
            )
        label = by_part.get(part, [None])[0]
        subfolder, _, shared = part.rpartition("/")
        expected = labels / subfolder / label_name.replace("*", shared)
        pairs.append(Pair(part, image, label or expected, label is not None))
    for first, *others in by_part.values():
        spare += [Skipped(path_text(path), f"is a label beside {first.name}, which is read") for path in others]
    documents = tuple(path for path in label_files.documents if path not in described)
    lonely = without_image((files[0] for files in by_part.values()), pairs)
    return SplitFiles(
        pairs,
        how,
        (*there.skipped, *skipped, *label_files.skipped, *spare, *lonely),
        (*there.warnings(images), *dataclasses.replace(label_files, documents=documents).warnings(labels)),
    )


def joined(parts: Iterable[tuple[str, SplitFiles]], how: Labels | None) -> SplitFiles:
    """The files of several folders as those of one split.

    Args:
      parts: (prefix, files); the images of a folder are called PREFIX/NAME.
      how: how all labels are read.
    """
    listed = list(parts)
    return SplitFiles(
        [dataclasses.replace(pair, name=f"{prefix}/{pair.name}") for prefix, files in listed for pair in files.pairs],
        how,
        tuple(itertools.chain.from_iterable(files.skipped for _, files in listed)),
        tuple(itertools.chain.from_iterable(files.warnings for _, files in listed)),
    )


def _by_part(
    files: Sequence[Path], folder: Path, name: str, beside: Collection[str] = ()
) -> tuple[dict[str, list[Path]], list[Skipped]]:
    """SUBFOLDER/PART -> the files of this name, and the files of other names; those of `beside` are neither."""
    by_part: dict[str, list[Path]] = {}
    others = []
    for path in files:
        part = _part(path, name)
        if part is not None:
            by_part.setdefault((path.parent.relative_to(folder) / part).as_posix(), []).append(path)
        elif not any(fnmatch.fnmatchcase(path.stem, other) for other in beside):
            others.append(Skipped(path_text(path), f"is not read: its name is not like {name}"))
    return by_part, others


def _part(path: Path, name: str) -> str | None:
    """What the * of a name stands for in a file's name, both without their endings; None where they differ."""
    before, _, after = name.partition("*")
    after = after.rpartition(".")[0] if "." in after else after
    stem = path.stem
    if len(stem) <= len(before) + len(after) or not (stem.startswith(before) and stem.endswith(after)):
        return None
    return stem[len(before) : len(stem) - len(after)]
