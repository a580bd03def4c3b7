"""AirSim: images and segmentation of recordings, or of scripts, with a list of the meshes' object ids.

The form: microsoft.github.io/AirSim, "Image APIs", segmentation, and "Settings", recording; docs/seg_rgbs.txt has the
colours of the object ids; RecordingFile.cpp of 1.8 names the files img_VEHICLE_CAMERA_TYPE_TIME.png. AirSim itself does
not write down which mesh has which object id: that the user does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from udas_tf.data import class_file, image_files, labels
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, paired, without_image
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "airsim_rec.txt and images/img_VEHICLE_CAMERA_TYPE_TIME.png of recordings, or rgb/ and seg/, in the root, in "
    "folders of recordings, or in SPLIT/; object_ids.txt (.json, .yaml) or classes.yaml says what object ids mean"
)
LABELLED = ("train", "val", "test")

SPLITS = ("train", "val", "test")  # folders
RECORDING = "airsim_rec.txt"
PALETTE_FILE = "seg_rgbs.txt"
NAMED = re.compile(r"img_(?P<camera>.*)_(?P<kind>\d+)_(?P<time>\d+)\.(png|ppm|pfm)")
SCENE, SEGMENTATION = "0", "5"  # ImageType
FOLDERS = {"rgb": ("seg", "segmentation"), "scene": ("seg", "segmentation"), "images": ("seg", "segmentation")}
# Lists of object ids, and the one of TartanAir.
LISTS = tuple(
    f"{stem}.{ending}"
    for stem in ("object_ids", "segmentation_ids", "seg_ids", "mesh_ids", "seg_label_map")
    for ending in ("txt", "json", "yaml", "yml")
)
PATTERN = re.compile(r"(\[\\w\]|\.)[*+]$")  # at the end of a name: simSetSegmentationObjectID takes "ground[\\w]*"
ID_FIRST = re.compile(r"(-?\d+)[\s:,;=]+(.+)")
NAME_FIRST = re.compile(r"(.+?)[\s:,;=]+(-?\d+)")

# docs/seg_rgbs.txt: the colours of the object ids 0 to 255.
PALETTE = """
    000000 996c06 7069bf 597948 bee140 cebe3b 510d24 73b0c3 a1ab1b 87a9b4 1d1ac7 6610ef f26b92 9cc617 3159a0 44da74
    0bec09 c41e08 79431c 003541 923446 e2958f 977eab c22707 cd78a1 d4333c d350d0 bd87bc 3648cd 67fc9d 7c157b 138445
    c3ed84 5efdaf b6fb57 5aa2f2 c71d01 fe0ce5 23c4f4 dca331 56fed6 980381 5c1f6a cfe55a 7d4b30 62374a 7e81ee de996d
    559822 ad451f 25807d 3a1321 863977 da7c73 7800c8 e1835c f65a10 339bf1 ca619b b891b6 60e82c 85f485 b4bf1d 01dec0
    63f268 5ba8db 4136d9 944282 cb66cc d84e4b ea14fa 6dce18 a4c211 9d17ec 9e7258 f5166e 431123 b5d55d aab32a 34bb94
    f7c86f 193eae 6419f0 bfc390 fc2443 f14d95 ed218d 77e655 1c226c 4e62fe 72a11e 4b32f3 42e2fd 2e684c 08ead8 0ff166
    5d0e47 c0ffc1 fd29a4 18af78 b9f3e7 a9e961 f3d791 488915 a07165 d65c0d a78c93 656db5 35767e 03b120 283f63 ba8b99
    58cf64 4792e3 ec26bb d704d7 12d342 713186 2f2a3f db677f 39f089 e385d3 9147c9 d9adb7 fa2871 d07d44 e0baf9 45942e
    ef5514 6c74e0 38d61a b3932b 30bcac dd532f 9ba6da 3ed9bd c6b47a c990a9 84020e 80bd72 a3e370 2d9db1 40568e 76c1a3
    0e204f c82daa 4a5102 3b25d4 4923e1 5fe027 54aadc 9f3aad 115bed 1f5f54 22c9f8 3f49d1 81eb6b e77328 244a5f eee49a
    3dd436 0d5ea5 8dae00 8ca7ff 755d5b b70aba a51c3d 90eec2 0c9e29 4c6eea 960979 8e01f6 e688c6 053ce9 e8fa50 8f7038
    bb469c 02b93e 8adfe2 7ab7de a6f503 af068c f03bd2 f82c0a 535234 dff8a7 570f96 6fb275 c55416 ebd07c 094c2d b01832
    9a9ffb 956fcf a8e70f d1f7ca 50cd98 b2ddd5 1b0826 f47533 6b44be 17c78b ab58a8 88ca3a 062e56 697fb0 aef9c5 acac8a
    e48e51 07ccb9 163df7 e9644e 7f4169 21579e 8b9cfc 2a0788 1463b3 4f96df 83b6b8 6e7b25 3c8a60 d2605e 7b3012 89c5a2
    bc1205 27db97 cc8f87 f94f49 4d40b2 29f64d 109a04 748613 047aeb b16ae6 15770c 680562 328235 1ec019 1aa5a6 0aa052
    6a2b83 2cd867 ff65dd 2097c4 d5dc59 46d1e4 61b853 52efe8 fba480 c10bf5 261b9f e58dcb 823837 93d20b a2cb76 ffffff
"""


def find(root: Path, split: str) -> SplitFiles:
    """The frames in SPLIT/; where there are no such folders, all of them are "train".

    A recording pairs the scene and the segmentation of a camera that a line of airsim_rec.txt names. Other folders pair
    files of one name. Labels hold object ids, or the colours of seg_rgbs.txt in the root, by default AirSim's own.

    Raises:
      UserError: there are labels, and no file in the root says what the object ids mean.
    """
    by_split = any((root / name).is_dir() for name in SPLITS)
    if not by_split and split != "train":
        return SplitFiles([])
    files = _files(root / split if by_split else root)
    if not any(pair.labelled for pair in files.pairs):
        return files
    return SplitFiles(files.pairs, _labels(root), files.skipped, files.warnings)


def own_classes(root: Path) -> ClassSet | None:
    """The classes of a classes.yaml in the root, or the names in a list of object ids; None without labels.

    Raises:
      UserError: there are labels, and neither file.
    """
    if _list_of(root) is None and not any(_files(place).pairs for place in _places(root)):
        return None
    return _labels(root).classes


def recognise(root: Path) -> str | None:
    """AirSim records airsim_rec.txt; seg_rgbs.txt is its palette; other images have its colours beside them."""
    for place in _places(root):
        for folder in (place, *sorted(place.glob("*/"))):
            for name in (RECORDING, PALETTE_FILE):
                if (folder / name).is_file():
                    return str((folder / name).relative_to(root))
        for images, segmentation in _folders(place):
            first = min(segmentation.glob("*.png"), default=None)
            if first and _has_its_colours(first):
                return f"AirSim's colours in {segmentation.relative_to(root)}, images in {images.relative_to(root)}"
    return None


def _places(root: Path) -> list[Path]:
    return [root, *(root / name for name in SPLITS)]


def _files(place: Path) -> SplitFiles:
    """The frames of recordings in a place; where there are none, those of its folders."""
    recordings = [folder for folder in (place, *sorted(place.glob("*/"))) if (folder / RECORDING).is_file()]
    parts = [_recorded(folder, "" if folder == place else f"{folder.name}/") for folder in recordings]
    if not recordings:
        parts = [paired(images, segmentation, None) for images, segmentation in _folders(place)]
    return SplitFiles(
        [pair for part in parts for pair in part.pairs],
        None,
        tuple(skipped for part in parts for skipped in part.skipped),
        tuple(warning for part in parts for warning in part.warnings),
    )


def _folders(place: Path) -> Iterator[tuple[Path, Path]]:
    for images, candidates in FOLDERS.items():
        segmentation = next((place / name for name in candidates if (place / name).is_dir()), None)
        if segmentation and (place / images).is_dir():
            yield place / images, segmentation


def _recorded(folder: Path, prefix: str) -> SplitFiles:
    """The frames that the lines of airsim_rec.txt name; images that no line names are skipped."""
    path = folder / RECORDING
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    header = [name.strip() for name in lines[0]] if lines else []
    if "ImageFile" not in header:
        return SplitFiles([], skipped=(Skipped(path_text(path), "has no column ImageFile"),))
    column = header.index("ImageFile")
    pairs: list[Pair] = []
    lonely: list[Path] = []
    unnamed = set((folder / "images").glob("*"))
    for line in lines[1:]:
        names = line[column].strip().split(";") if len(line) > column else []
        unnamed -= {folder / "images" / name for name in names}
        found, alone = _frames(folder / "images", names, prefix)
        pairs += found
        lonely += alone
    reason = f"is named by no line of {RECORDING}"
    skipped = [*without_image(lonely, []), *(Skipped(path_text(path), reason) for path in sorted(unnamed))]
    return SplitFiles(sorted(pairs, key=lambda pair: pair.name), skipped=tuple(skipped))


def _frames(images: Path, names: list[str], prefix: str) -> tuple[list[Pair], list[Path]]:
    """The scenes among the files of a line, each with its camera's segmentation; and segmentations without a scene."""
    kinds: dict[tuple[str, str], Path] = {}
    for match in filter(None, map(NAMED.fullmatch, names)):
        kinds[match["camera"], match["kind"]] = images / match.string
    pairs = []
    for (camera, kind), image in kinds.items():
        if kind == SCENE:
            label = kinds.get((camera, SEGMENTATION))
            pairs.append(Pair(prefix + image.stem, image, label, label is not None and label.is_file()))
    cameras = {camera for camera, kind in kinds if kind == SCENE}
    return pairs, [path for (camera, kind), path in kinds.items() if kind == SEGMENTATION and camera not in cameras]


def _labels(root: Path) -> Labels:
    """How labels are read; UserError where no file says what the object ids mean."""
    described = class_file.find(root)
    if described:
        content = class_file.read(described)
        classes, ids = content.classes, dict(content.ids)
    else:
        path = _list_of(root)
        if path is None:
            raise UserError(
                f"no file in {root} says which mesh has which object id; write them into {root / LISTS[0]}, one line "
                "for each, such as '20 Ground'"
            )
        ids = _read_list(path)
        names = dict.fromkeys(name for _, name in sorted(ids.items()) if name is not None)
        classes = own.class_set(root, list(names))
    palette = _palette(root)
    return labels.of_files(classes, Legend(ids), lambda path: _object_ids(path, palette))


def _list_of(root: Path) -> Path | None:
    """The list of object ids in the root; UserError where there are several."""
    there = [root / name for name in LISTS if (root / name).is_file()]
    if len(there) > 1:
        raise UserError(f"{root} holds {' and '.join(path.name for path in there)}; remove all but one")
    return there[0] if there else None


def _read_list(path: Path) -> dict[int, str | None]:
    """Object id -> name without a pattern's ending; None = ignored. Ids of -1 are of meshes that are not drawn."""
    text = path.read_text(encoding="utf-8")
    try:
        load = json.loads if path.suffix == ".json" else yaml.safe_load
        entries = list(_lines(text) if path.suffix == ".txt" else _mapping(load(text)))
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}") from error
    ids: dict[int, str | None] = {}
    for number, name in entries:
        name = None if name in (None, "null") else PATTERN.sub("", str(name).strip())
        if number == -1:
            continue
        if not 0 <= number <= 255:
            raise UserError(f"{path}: {number} is no object id; expected 0 to 255")
        if ids.setdefault(number, name) != name:
            raise UserError(f"{path}: object id {number} has two names, {ids[number]} and {name}; give it one")
    return ids


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    """Lines such as "20 Ground" or "Ground: 20"; empty ones, and those that begin with #, are left out."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        first, last = ID_FIRST.fullmatch(line), NAME_FIRST.fullmatch(line)
        if first:
            yield int(first[1]), first[2]
        elif last:
            yield int(last[2]), last[1]
        else:
            raise ValueError(f"{line!r} is not like '20 Ground' or 'Ground 20'")


def _mapping(content: object) -> Iterator[tuple[int, Any]]:
    """{20: Ground} or {Ground: 20}, or {"name_map": {"Ground": 20}} as in TartanAir."""
    if isinstance(content, dict) and isinstance(content.get("name_map"), dict):
        content = content["name_map"]
    if not isinstance(content, dict) or not content:
        raise ValueError("expected a map like {20: Ground} or {Ground: 20}")
    if all(re.fullmatch(r"-?\d+", str(key)) for key in content):
        return ((int(key), name) for key, name in content.items())
    if all(type(number) is int for number in content.values()):
        return ((number, name) for name, number in content.items())
    raise ValueError("expected a map from object ids to names, or from names to object ids")


def _palette(root: Path) -> dict[int, int]:
    """Packed colour -> object id."""
    path = root / PALETTE_FILE
    if not path.is_file():
        return {int(colour, 16): number for number, colour in enumerate(PALETTE.split())}
    palette = {}
    for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
        numbers = [int(number) for number in re.findall(r"\d+", line)]
        if len(numbers) != 4 or max(numbers) > 255:
            raise UserError(f"{path}: {line!r} is not like '20 [r, g, b]'")
        palette[numbers[1] << 16 | numbers[2] << 8 | numbers[3]] = numbers[0]
    return palette


def _object_ids(path: Path, palette: Mapping[int, int]) -> np.ndarray:
    """The object ids of a label [h, w]; Unusable where it holds a colour that is none of the palette."""
    pixels = image_files.read_label(path)
    if pixels.ndim == 2:
        return pixels
    names: dict[own.Value, str | None] = {(c >> 16, c >> 8 & 255, c & 255): str(i) for c, i in palette.items()}
    indexed = own.raw_label(path, pixels, names)
    numbers = [int(indexed.legend.ids[place] or 0) for place in range(len(indexed.legend.ids))]
    return np.array(numbers, np.uint8)[indexed.values]


def _has_its_colours(path: Path) -> bool:
    palette = _palette(path.parent)
    try:
        return image_files.read_label(path).ndim == 3 and bool(_object_ids(path, palette).any())
    except Unusable:
        return False
