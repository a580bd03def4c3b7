"""The files of a split: which images there are, where their labels lie, and how both are read."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from udas_tf.data import image_files
from udas_tf.data.fitting import Fit
from udas_tf.data.image_files import SUFFIXES, Pair
from udas_tf.data.labels import Labels
from udas_tf.data.sample import Skipped, path_text
from udas_tf.errors import UserError

# Endings of what lies beside images and is none: one warning names all of them, every other file has its own line.
DOCUMENTS = (
    *(".txt", ".md", ".rst", ".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".xml", ".html", ".htm", ".pdf"),
    *(".toml", ".ini", ".cfg", ".log", ".py", ".sh", ".doc", ".docx", ".xls", ".xlsx"),
)
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx")  # beside those that begin with a dot
SHOWN = 3  # documents that a warning names


def read_image(pair: Pair, size: tuple[int, int], fit: Fit = "squeeze") -> tuple[np.ndarray, tuple[int, int]]:
    """The image of a pair that is a file of its own: `image_files.read_image`."""
    return image_files.read_image(pair.image, size, fit)


@dataclasses.dataclass(frozen=True)
class SplitFiles:
    """The files of a split of a data set.

    Attributes:
      pairs: in the order of their names; none where the split is not there.
      labels: how labels are read; None = they hold train ids, or the colours, of whatever class set a run has.
      skipped: files that belong to no pair, such as labels without an image.
      warnings: what a user should know of the files.
      read_image: pair, (height, width) -> uint8 RGB [height, width, 3], and (height, width) of the original; Unusable
        where it cannot be read.
    """

    pairs: Sequence[Pair]
    labels: Labels | None = None
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    read_image: Callable[[Pair, tuple[int, int]], tuple[np.ndarray, tuple[int, int]]] = read_image


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a folder of images.

    Attributes:
      images: files with an ending that images have, sorted.
      skipped: files that are left out, but for hidden ones and those of `SYSTEM_FILES`.
      documents: files that are no images by their endings.
    """

    images: tuple[Path, ...]
    skipped: tuple[Skipped, ...]
    documents: tuple[Path, ...]

    def warnings(self, folder: Path) -> tuple[str, ...]:
        """One warning of all documents in `folder`; none where there are none."""
        if not self.documents:
            return ()
        names = [path_text(path.relative_to(folder)) for path in self.documents]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return (f"{path_text(folder)}: files that are no images are not read: {', '.join(names[:SHOWN])}{more}",)


def listing(
    folder: Path, nested: bool = True, aside: Collection[str] = (), endings: Sequence[str] = SUFFIXES
) -> Listing:
    """The files of a folder; one that is not there holds none.

    Args:
      folder: to look in. Links are followed, but for those that lead back into a folder above them.
      nested: whether files in its subfolders count; where they do not, a subfolder with images is skipped.
      aside: names in the folder itself that are something else, and not left out.
      endings: of the files that count as images, in lower case.
    """
    images: list[Path] = []
    skipped: list[Skipped] = []
    documents: list[Path] = []
    for found in _walk(folder, nested, (folder.resolve(),), aside) if folder.is_dir() else ():
        if isinstance(found, Skipped):
            skipped.append(found)
        elif found.suffix.lower() in endings:
            images.append(found)
        elif found.suffix.lower() in DOCUMENTS:
            documents.append(found)
        else:
            ending = found.suffix or "no ending"
            skipped.append(Skipped(path_text(found), f"has {ending}, which is not read; expected {', '.join(endings)}"))
    return Listing(tuple(sorted(images)), tuple(skipped), tuple(documents))


def _walk(folder: Path, nested: bool, above: tuple[Path, ...], aside: Collection[str] = ()) -> Iterator[Path | Skipped]:
    """The regular files of a folder and, if `nested`, of those in it, in the order of their names.

    Args:
      folder, nested, aside: as for `listing`.
      above: the real paths of the folder and of those around it.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Skipped(path_text(folder), f"cannot be opened: {error.strerror}")
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM_FILES or entry.name in aside:
            continue
        if entry.is_file():
            yield path
        elif not entry.is_dir():
            lost = f"is a link to {path_text(path.readlink())}, which does not exist" if entry.is_symlink() else ""
            yield Skipped(path_text(path), lost or "is no regular file")
        elif path.resolve() in above:
            yield Skipped(path_text(path), "is a link to a folder that it lies in")
        elif nested:
            yield from _walk(path, nested, (*above, path.resolve()))
        elif count := len(listing(path).images):
            images = "1 image" if count == 1 else f"{count} images"
            yield Skipped(path_text(path), f"holds {images}; subfolders are looked at below images/ alone")


def paired(
    images: Path,
    labels: Path,
    how: Labels | None,
    label_ending: str = ".png",
    nested: bool = True,
    aside: Collection[str] = (),
) -> SplitFiles:
    """The images of a folder, each with the label of its name in another.

    A label may have another of the endings of images than `label_ending`, in any case. Names are the same if they read
    the same: accents may be written in either of Unicode's two ways. Images in subfolders have their labels in
    subfolders of the same names, and are called SUBFOLDER/NAME.

    Args:
      images, labels: the two folders.
      how: how the labels are read, see `SplitFiles.labels`.
      label_ending: what follows an image's name, without its ending, in the name of its label.
      nested: whether subfolders count.
      aside: names in `images` that are something else, such as `labels` itself.

    Raises:
      UserError: two images differ in their endings alone.
    """
    there, label_files = listing(images, nested, aside), listing(labels, nested)
    named: dict[str, Path] = {}
    for image in there.images:
        name = _name(image.relative_to(images))
        if name in named:
            raise UserError(
                f"{path_text(named[name])} and {path_text(image)} have one name, and would share a label; rename one"
            )
        named[name] = image
    by_name, spare = _labels_by_name(label_files.images, labels, label_ending)
    pairs = []
    for name, image in named.items():
        expected = labels / image.relative_to(images).with_name(f"{image.stem}{label_ending}")
        label = by_name.get(name)
        pairs.append(
            Pair(path_text(image.relative_to(images).with_suffix("")), image, label or expected, label is not None)
        )
    lonely = without_image(by_name.values(), pairs)
    return SplitFiles(
        pairs,
        how,
        (*there.skipped, *label_files.skipped, *spare, *lonely),
        (*there.warnings(images), *label_files.warnings(labels)),
    )


def _name(path: Path, ending: str = "") -> str:
    """What an image and its label share: the path in their folders without `ending` and the file's own ending."""
    return unicodedata.normalize("NFC", str(path.with_suffix("")).removesuffix(ending))


def _labels_by_name(files: Iterable[Path], folder: Path, label_ending: str) -> tuple[dict[str, Path], list[Skipped]]:
    """Name -> label, and labels beside another of their name; one with the very `label_ending` goes first."""
    stem_ending, _, suffix = label_ending.rpartition(".")
    by_name: dict[str, Path] = {}
    spare = []
    for path in sorted(
        files, key=lambda path: (path.suffix != f".{suffix}", path.suffix.lower() != f".{suffix}", path)
    ):
        if not path.stem.endswith(stem_ending):
            spare.append(Skipped(path_text(path), f"is no label: its name does not end in {label_ending}"))
            continue
        first = by_name.setdefault(_name(path.relative_to(folder), stem_ending), path)
        if first != path:
            spare.append(Skipped(path_text(path), f"is a label beside {first.name}, which is read"))
    return by_name, spare


def without_image(labels: Iterable[Path], pairs: Iterable[Pair]) -> tuple[Skipped, ...]:
    """The label files that belong to none of the pairs."""
    lonely = set(labels) - {pair.label for pair in pairs}
    return tuple(Skipped(path_text(label), "is a label without an image") for label in sorted(lonely))
