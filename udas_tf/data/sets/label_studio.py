"""Label Studio: exported JSON of polygons and brush masks, or brush masks exported as PNG, with their images.

The form: labelstud.io, "Label Studio JSON format of annotated tasks", 1.x, and the tags PolygonLabels and BrushLabels;
`label_studio_sdk/converter/brush.py` for run lengths and the names of PNGs. Exports hold no images: these are looked
for by the names in the tasks. Pixels in no region are ignored: an export names no class for them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from udas_tf.data import annotated, image_files, shapes
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "a JSON export (JSON or JSON_MIN) and the images of its tasks, in the root or in SPLIT/, with subfolders; beside "
    "them brush masks exported as PNG, task-N-annotation-M-by-K-tag-NAME-0.png, for tasks without polygons and run "
    "lengths in the JSON"
)
LABELLED = ()

DRAWN = ("polygonlabels", "brushlabels", "labels", "polygon", "brush")  # types of results
LABELS = ("polygonlabels", "brushlabels", "labels")  # what holds the label of one
UPLOADED = re.compile(r"^[0-9a-f]{8}-")  # what Label Studio puts before the name of an uploaded file
# TAG is the name of the brush in the labelling config: it holds no hyphen here.
MASK = re.compile(r"task-(?P<task>\d+)-annotation-(?P<annotation>\d+)-by-[^-]*-[^-]+-(?P<label>.+)-\d+\.png")


@dataclasses.dataclass(frozen=True)
class Task(Pair):
    """An image with the results of one annotation, or with its masks: (label, PNG)."""

    results: Sequence[Mapping[str, Any]] = ()
    masks: Sequence[tuple[str, Path]] = ()


def find(root: Path, split: str) -> SplitFiles:
    """The tasks of the exports in SPLIT/; where there are no such folders, all are "train".

    Of several annotations of a task, the ground truth counts, else the newest, and a warning says so. Regions are
    painted in their order, later ones over earlier ones; PNGs in the order of their names.

    Raises:
      UserError: two images have one name.
    """
    parts = [_find(folder) for folder in annotated.split_folders(root).get(split, [])]
    pairs = annotated.in_order(pair for part in parts for pair in part.pairs)
    skipped = tuple(skipped for part in parts for skipped in part.skipped)
    if not pairs:
        return SplitFiles([], skipped=skipped)
    classes = own_classes(root) or own.class_set(root, [])
    warnings = [annotated.of_unlabelled(), *(warning for part in parts for warning in part.warnings)]
    return SplitFiles(pairs, annotated.labels(classes, _regions), skipped, tuple(warnings))


def own_classes(root: Path) -> ClassSet | None:
    """The labels of all regions and PNGs, sorted; None where there are none."""
    names: set[str] = set()
    for folders in annotated.split_folders(root).values():
        for folder in folders:
            for pair in _find(folder).pairs:
                if isinstance(pair, Task):
                    names.update(name for result in pair.results for name in _labels_of(result))
                    names.update(name for name, _ in pair.masks)
    return own.class_set(root, sorted(names)) if names else None


def recognise(root: Path) -> str | None:
    """Label Studio's JSON is a list of tasks with "data" and "annotations"; its PNGs are named after tasks."""
    for folders in annotated.split_folders(root).values():
        for folder in folders:
            for path in _exports(folder):
                with contextlib.suppress(Unusable):
                    if any("annotations" in task and "data" in task for task in _tasks(path)):
                        return f"{path.relative_to(root)} with tasks"
            mask = next((path for path in sorted(folder.rglob("task-*.png")) if MASK.fullmatch(path.name)), None)
            if mask:
                return f"{mask.relative_to(root)}, named after a task"
    return None


def _find(folder: Path) -> SplitFiles:
    """The tasks of the exports in a folder, and the images of none; without how labels are read."""
    images, masks = _images_and_masks(folder)
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    several, left_out, unread = 0, Counter[str](), 0
    for path in _exports(folder):
        try:
            tasks = _tasks(path)
        except Unusable as error:
            skipped.append(Skipped(path_text(error.path), error.reason))
            continue
        for task in tasks:
            of_task = masks.pop(task["id"], {})
            try:
                image = _image_of(task, path.parent, images)
                annotations = _finished(task)
                results = annotations[-1]["result"] if annotations else []
                drawn = [result for result in results if _is_drawn(result)]
                others = [str(result["type"]) for result in results if not _is_drawn(result)]
            except annotated.WRONG_FORM as error:
                skipped.append(Skipped(path_text(path), f"task {task['id']}: {annotated.in_words(error)}"))
                continue
            several += len(annotations) > 1
            left_out.update(others)
            unread += bool(drawn and of_task)
            pairs.append(_task(image, path, drawn, of_task, folder))
    reason = "is the mask of a task that no JSON here names; put the export as JSON beside it"
    spare = [mask for annotations in masks.values() for named in annotations.values() for _, mask in named]
    skipped += [Skipped(path_text(mask), reason) for mask in sorted(spare)]
    pairs += annotated.without_annotation(images, pairs, folder)
    warnings = []
    if several:
        warnings.append(f"{several} tasks have several annotations; of each, the ground truth is read, else the newest")
    if left_out:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(left_out.items()))
        warnings.append(f"results that are no polygons or brush masks are not read: {listed}")
    if unread:
        warnings.append(f"PNGs of {unread} tasks are not read, as the JSON has their regions")
    return SplitFiles(pairs if _exports(folder) else [], None, tuple(skipped), tuple(warnings))


def _images_and_masks(folder: Path) -> tuple[list[Path], dict[int, dict[int, list[tuple[str, Path]]]]]:
    """Images, and task -> annotation -> (label, PNG) in the order of the PNGs' names."""
    images, masks = [], dict[int, dict[int, list[tuple[str, Path]]]]()
    for path in listing(folder).images:
        match = MASK.fullmatch(path.name)
        if match is None:
            images.append(path)
        else:
            of_task = masks.setdefault(int(match["task"]), {})
            of_task.setdefault(int(match["annotation"]), []).append((match["label"], path))
    return images, masks


def _exports(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.json") if _is_list(path))


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"["


def _tasks(path: Path) -> list[dict[str, Any]]:
    content = annotated.read_json(path)
    if not all(isinstance(task, dict) and isinstance(task.get("id"), int) for task in content):
        raise Unusable(path, "is no export of Label Studio: expected a list of tasks with a number as id")
    return content


def _task(image: Path, path: Path, drawn: Sequence[Mapping[str, Any]], masks: Mapping[int, Any], folder: Path) -> Task:
    """Masks count where the JSON draws nothing; those of the newest annotation."""
    named = [] if drawn or not masks else masks[max(masks)]
    name = path_text(image.relative_to(folder).with_suffix(""))
    return Task(name, image, named[0][1] if named else path, bool(drawn or named), drawn, named)


def _finished(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The annotations of a task that nobody cancelled; the one that counts is the last."""
    listed = [entry for entry in task.get("annotations") or [] if not entry.get("was_cancelled")]
    return sorted(listed, key=lambda entry: (bool(entry.get("ground_truth")), str(entry.get("updated_at", ""))))


def _image_of(task: Mapping[str, Any], folder: Path, images: Iterable[Path]) -> Path:
    """The image that a task names; ValueError where there is none, or several."""
    data = task.get("data", task)  # JSON_MIN has the data beside the id
    addresses = [value for value in data.values() if isinstance(value, str) and _suffix(value)]
    if not addresses:
        raise ValueError("it names no image")
    place = _place(addresses[0])
    exact = [folder / place, folder / "images" / place]
    candidates = [path for path in exact if path.is_file()][:1]
    candidates = candidates or [path for path in images if path.name == place.name]
    candidates = candidates or [path for path in images if path.name == UPLOADED.sub("", place.name)]
    if len(candidates) != 1:
        raise ValueError(f"{len(candidates) or 'no'} files here are called {place.name}, as its image is")
    return candidates[0]


def _place(address: str) -> PurePosixPath:
    """The path of a task's image in its storage: of an upload, of a local file, or of an address."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    place = PurePosixPath(local[0] if local else unquote(parts.path))
    return place.relative_to("/") if place.is_absolute() else place


def _suffix(address: str) -> bool:
    return _place(address).suffix.lower() in image_files.SUFFIXES


def _is_drawn(result: Mapping[str, Any]) -> bool:
    value = result.get("value", {})
    return result.get("type") in DRAWN and ("points" in value or "rle" in value) and bool(_labels_of(result))


def _labels_of(result: Mapping[str, Any]) -> list[str]:
    value = result.get("value", {})
    return next((value[key] for key in LABELS if value.get(key)), [])


def _regions(pair: Pair) -> tuple[tuple[int, int], annotated.Regions]:
    if not isinstance(pair, Task):
        raise TypeError(f"{pair} is no task")
    if pair.masks:
        first = image_files.read_label(pair.masks[0][1])
        return (first.shape[0], first.shape[1]), _of_masks(pair.masks)
    first_result = pair.results[0]
    size = int(first_result["original_height"]), int(first_result["original_width"])
    return size, ((_label(result), _mask(result, size)) for result in pair.results)


def _of_masks(masks: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, np.ndarray]]:
    for name, path in masks:
        mask = image_files.read_label(path)
        if mask.ndim != 2:
            raise Unusable(path, "is a mask in colours; expected one channel")
        yield name, mask > 0


def _label(result: Mapping[str, Any]) -> str:
    names = _labels_of(result)
    if len(names) > 1:
        raise ValueError(f"a region has {len(names)} labels, {', '.join(names)}; expected one")
    return names[0]


def _mask(result: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    height, width = size
    if (int(result["original_height"]), int(result["original_width"])) != size:
        raise ValueError("its regions are of images of different sizes")
    if result.get("image_rotation"):
        raise ValueError(f"it was turned by {result['image_rotation']} degrees while it was labelled")
    value = result["value"]
    if "rle" in value:
        pixels = run_lengths(value["rle"])
        if len(pixels) != height * width * 4:
            raise ValueError(f"run lengths hold {len(pixels)} values; expected {height} x {width} x 4")
        return pixels.reshape(height, width, 4)[..., 3] > 0
    points = np.asarray(value["points"], np.float64) / 100 * (width, height)
    return shapes.polygon(points.ravel().tolist(), size)


def run_lengths(data: Sequence[int]) -> np.ndarray:
    """The values that Label Studio's run lengths stand for, those of an RGBA image in rows.

    A head of 32 bits has the count of values, 5 the bits of a value less 1, and four times 4 the bits of a length less
    1. Then follow runs: a bit that says whether one value is repeated, 2 bits for which length, the length less 1, and
    one value or as many as the length.

    Args:
      data: bytes, 0..255.

    Returns:
      uint8 [count].

    Raises:
      ValueError: they end too early, or hold values of more than 8 bits.
    """
    bits = _Bits(data)
    count, word = bits.number(32), bits.number(5) + 1
    lengths = [bits.number(4) + 1 for _ in range(4)]
    if word > 8:
        raise ValueError(f"run lengths hold values of {word} bits; expected 8")
    values = np.zeros(count, np.uint8)
    place = 0
    while place < count:
        repeated = bits.number(1)
        length = bits.number(lengths[bits.number(2)]) + 1
        values[place : place + length] = bits.number(word) if repeated else bits.numbers(length, word)[: count - place]
        place += length
    return values


class _Bits:
    """Numbers that lie in bytes one after another, the highest bit first."""

    def __init__(self, data: Sequence[int]) -> None:
        self._bits = np.unpackbits(np.asarray(data, np.uint8))
        self._place = 0

    def number(self, width: int) -> int:
        return int(self.numbers(1, width)[0])

    def numbers(self, count: int, width: int) -> np.ndarray:
        end = self._place + count * width
        if end > len(self._bits):
            raise ValueError("run lengths end too early")
        taken = self._bits[self._place : end].reshape(count, width).astype(np.int64)
        self._place = end
        return taken @ (1 << np.arange(width)[::-1])
