"""CARLA: frames of the driving simulator, labelled by its semantic segmentation camera.

Tags and colours are those of carla.readthedocs.io, "Sensors reference", semantic segmentation camera, whose numbers
changed from 0.9.13 to 0.9.14; of LibCarla's CityScapesPalette.h in 0.9.5, in 0.9.10 to 0.9.13 and in 0.9.14 to 0.10;
and of image_converter.py in 0.8. Up to 0.9.13, all vehicles have one tag and are cars here; riders are pedestrians.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from udas_tf.data import class_file, image_files, labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.labels import Colour, Legend
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, paired
from udas_tf.errors import UserError

LAYOUT = (
    "rgb/*.png and semantic_segmentation/*.png, or CameraRGB/ and CameraSeg/, or images/ and labels/, in the root, "
    "_out/, SPLIT/ or folders of runs; train.txt and val.txt may list the names of the splits; carla_version.txt, such "
    "as 0.9.13, says what ids mean"
)
LABELLED = ("train", "val", "test")
CLASS_SET = "cityscapes"

VERSION_FILE = "carla_version.txt"
LISTS = ("train", "val", "test")  # SPLIT.txt
# Folder of images -> folders of labels. Names of CARLA's own examples and of the Lyft challenge:
NAMED_FOLDERS = {
    "CameraRGB": ("CameraSeg", "CameraSemSeg", "CameraSemanticSegmentation", "CameraMask"),
    "new_rgb_output": ("new_sem_output",),
}
# Names that other data sets have as well:
PLAIN_FOLDERS = {"rgb": ("semantic_segmentation", "semantic", "seg"), "images": ("labels",)}
PROBED_LABELS = 16  # label files whose content is looked at

# Tag -> class, up to CARLA 0.9.13; versions before 0.9.10 have the first 13 of them, and no sky.
TAGS_TO_0_9_13: dict[int, str | None] = {
    0: None,  # unlabelled
    1: "building",
    2: "fence",
    3: None,  # other
    4: "person",  # pedestrian
    5: "pole",
    6: "road",  # road line
    7: "road",
    8: "sidewalk",
    9: "vegetation",
    10: "car",  # vehicle
    11: "wall",
    12: "traffic sign",
    13: "sky",
    14: None,  # ground
    15: None,  # bridge
    16: None,  # rail track
    17: None,  # guard rail
    18: "traffic light",
    19: None,  # static
    20: None,  # dynamic
    21: None,  # water
    22: "terrain",
}
# From CARLA 0.9.14 on; 29 from 0.10 on.
TAGS_FROM_0_9_14: dict[int, str | None] = {
    0: None,  # unlabelled
    **dict(enumerate(CITYSCAPES.classes, start=1)),
    20: None,  # static
    21: None,  # dynamic
    22: None,  # other
    23: None,  # water
    24: "road",  # road line
    25: None,  # ground
    26: None,  # bridge
    27: None,  # rail track
    28: None,  # guard rail
    29: None,  # rock
}
TAGS = {"up to 0.9.13": TAGS_TO_0_9_13, "from 0.9.14": TAGS_FROM_0_9_14}
# The tags of sky and road, by which the content of labels tells the two.
SKY_AND_ROAD = {"up to 0.9.13": (13, 7), "from 0.9.14": (11, 1)}

# CityScapesPalette of all versions.
COLOURS: dict[Colour, str | None] = {
    (0, 0, 0): None,  # unlabelled
    **dict(zip(CITYSCAPES.colours, CITYSCAPES.classes, strict=True)),
    (157, 234, 50): "road",  # road line
    (100, 40, 40): "fence",  # 0.9.10 to 0.9.13
    (145, 170, 100): "terrain",  # 0.9.10 to 0.9.13
    (0, 0, 255): "car",  # vehicle, 0.8
    (110, 190, 160): None,  # static
    (170, 120, 50): None,  # dynamic
    (55, 90, 80): None,  # other
    (250, 170, 160): None,  # other, before 0.9.10
    (72, 0, 90): None,  # other, 0.8
    (45, 60, 150): None,  # water
    (81, 0, 81): None,  # ground
    (150, 100, 100): None,  # bridge
    (230, 150, 140): None,  # rail track
    (180, 165, 180): None,  # guard rail
    (180, 130, 70): None,  # rock
}


def find(root: Path, split: str) -> SplitFiles:
    """The frames of the split's folder; where there are no such folders, those that SPLIT.txt lists, or all as "train".

    Images lie in the folders of `NAMED_FOLDERS` and `PLAIN_FOLDERS`, in the root, in _out/, or one folder deeper for
    each run. Labels are PNGs of one name with their image: in the colours of CityScapesPalette, with tags in the red
    channel alone, or with tags in grey. Which version's tags they are, carla_version.txt says, or their content.

    Raises:
      UserError: labels hold tags, and neither says which; or carla_version.txt is no version.
    """
    place = _place_of_split(root, split)
    folders = list(_folders(place or root))
    by_list = place is None and _listed(root)
    if not folders or not (place or by_list or split == "train"):
        return SplitFiles([])
    parts = [_frames(images, tags, place or root) for images, tags in folders]
    files = SplitFiles(
        [pair for part in parts for pair in part.pairs],
        skipped=tuple(itertools.chain.from_iterable(part.skipped for part in parts)),
        warnings=tuple(itertools.chain.from_iterable(part.warnings for part in parts)),
    )
    files = _of_list(files, root, by_list, split) if by_list else files
    legend, warnings = _legend(root, [pair.label for pair in files.pairs if pair.label and pair.labelled])
    how = labels.of_files(CITYSCAPES, legend, read_tags)
    return dataclasses.replace(files, labels=how, warnings=files.warnings + warnings)


def read_tags(path: Path) -> np.ndarray:
    """Decodes a label: tags [h, w], of one channel, of three equal ones or of red alone; else colours [h, w, 3]."""
    pixels = image_files.read_label(path)
    if pixels.ndim == 2:
        return pixels
    red, others = pixels[..., :1], pixels[..., 1:]
    equal = np.array_equal(np.broadcast_to(red, others.shape), others) and red.max(initial=0) <= max(TAGS_FROM_0_9_14)
    return pixels[..., 0] if equal or not others.any() else pixels


def _place_of_split(root: Path, split: str) -> Path | None:
    """The folder of a split, such as train/ or Train/; None where no split has one."""
    present = {name: root / name for known in LISTS for name in (known, known.title())}
    present = {name: place for name, place in present.items() if next(_folders(place), None)}
    if not present:
        return None
    return present.get(split) or present.get(split.title()) or root / split


def _folders(place: Path) -> Iterator[tuple[Path, Path]]:
    """Folders of images and of their labels in a place, in _out/, or in folders of either."""
    runs = [place, place / "_out", *sorted(place.glob("*/")), *sorted((place / "_out").glob("*/"))]
    splits = {place / name for known in LISTS for name in (known, known.title())}
    for run in dict.fromkeys(runs):
        for images, candidates in (NAMED_FOLDERS | PLAIN_FOLDERS).items():
            tags = next((run / name for name in candidates if (run / name).is_dir()), None)
            if run not in splits and tags and (run / images).is_dir():
                yield run / images, tags


def _frames(images: Path, tags: Path, place: Path) -> SplitFiles:
    """The frames of a folder, called as their run and their file."""
    files = paired(images, tags, None)
    run = [part for part in images.parent.relative_to(place).parts if part != "_out"]
    pairs = [dataclasses.replace(pair, name="/".join([*run, pair.name])) for pair in files.pairs]
    return dataclasses.replace(files, pairs=pairs)


def _listed(root: Path) -> dict[str, list[str]]:
    """Split -> the names that its list has, without their endings."""
    lists = {split: root / f"{split}.txt" for split in LISTS}
    return {
        split: [Path(line.strip()).stem for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for split, path in lists.items()
        if path.is_file()
    }


def _of_list(files: SplitFiles, root: Path, lists: Mapping[str, Sequence[str]], split: str) -> SplitFiles:
    """The frames that the list of a split names; with "train", those that no list names are skipped."""
    wanted = set(lists.get(split, ()))
    pairs = [pair for pair in files.pairs if pair.image.stem in wanted]
    absent = wanted - {pair.image.stem for pair in pairs}
    reason = f"is not there; {split}.txt lists it"
    skipped = [Skipped(path_text(root / name), reason) for name in sorted(absent)]
    if split == "train":
        every = set(itertools.chain(*lists.values()))
        reason = f"is named by none of {', '.join(f'{name}.txt' for name in lists)}"
        skipped += [Skipped(path_text(pair.image), reason) for pair in files.pairs if pair.image.stem not in every]
        skipped += files.skipped
    return dataclasses.replace(files, pairs=pairs, skipped=tuple(skipped))


def _legend(root: Path, files: Sequence[Path]) -> tuple[Legend, tuple[str, ...]]:
    """What the values of label files mean, and a warning where their content says it."""
    version = _stated(root)
    if version:
        return Legend(TAGS[version], COLOURS), ()
    seen = _seen(_probed(files))
    version, why = seen.version()
    if version:
        warning = f"tags are read as those of CARLA {version}, as {why}; {VERSION_FILE} in the root may say otherwise"
        return Legend(TAGS[version], COLOURS), (warning,)
    if seen.files:
        raise UserError(
            f"the tags in {files[0].parent} may be those of CARLA up to 0.9.13 or from 0.9.14 on: {why}; write the "
            f"version, such as 0.9.13, into {root / VERSION_FILE}"
        )
    return Legend({}, COLOURS), ()


def _stated(root: Path) -> str | None:
    """The tags that carla_version.txt names; None without that file."""
    path = root / VERSION_FILE
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8").strip()
    numbers = text.split(".")
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"{path} holds {text!r}; expected a version such as 0.9.13")
    return "up to 0.9.13" if [int(number) for number in numbers] < [0, 9, 14] else "from 0.9.14"


def _probed(files: Sequence[Path]) -> Iterator[np.ndarray]:
    """The content of some label files, spread evenly; those that cannot be read are listed when their turn comes."""
    for path in files[:: max(1, len(files) // PROBED_LABELS)][:PROBED_LABELS]:
        try:
            yield read_tags(path)
        except Unusable:
            continue


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What the content of label files says of their tags.

    Attributes:
      highest: tag.
      files: of tags, not of colours.
      sky, road: version -> files on whose top, or at whose bottom, its tag of that class lies.
    """

    highest: int
    files: int
    sky: Mapping[str, int]
    road: Mapping[str, int]

    def version(self) -> tuple[str | None, str]:
        """Which tags they are, and why; None where the content does not tell."""
        if max(TAGS_TO_0_9_13) < self.highest <= max(TAGS_FROM_0_9_14):
            return "from 0.9.14", f"one is {self.highest}, and those before end with {max(TAGS_TO_0_9_13)}"
        most, least = sorted(TAGS, key=lambda version: self.sky[version] + self.road[version], reverse=True)
        votes, against = self.sky[most] + self.road[most], self.sky[least] + self.road[least]
        sky, road = SKY_AND_ROAD[most]
        if votes and 4 * votes >= self.files and votes > 10 * against:
            return most, f"{sky} (sky) lies on top, or {road} (road) at the bottom"
        return None, "neither sky on top nor road at the bottom tells it"


def _seen(probed: Iterable[np.ndarray]) -> _Seen:
    ids = [tags for tags in probed if tags.ndim == 2]
    sky, road = Counter[str](), Counter[str]()
    for tags in ids:
        part = max(1, len(tags) // 8)
        for version, (sky_tag, road_tag) in SKY_AND_ROAD.items():
            sky[version] += bool(np.mean(tags[:part] == sky_tag) > 0.5)
            road[version] += bool(np.mean(tags[-part:] == road_tag) > 0.5)
    return _Seen(max((int(tags.max()) for tags in ids), default=0), len(ids), sky, road)


def recognise(root: Path) -> str | None:
    """Labels that hold tags or colours of CARLA, in folders called as its examples call them.

    In rgb/ and images/, which other data sets have too, one more thing must speak for CARLA: carla_version.txt, tags in
    the red channel alone, colours that Cityscapes does not have, or both sky on top and road at the bottom.
    """
    for place in [root, *(root / name for known in LISTS for name in (known, known.title()))]:
        for images, tags in _folders(place):
            files = sorted(tags.glob("*.png"))
            named = images.name in NAMED_FOLDERS or (root / VERSION_FILE).is_file()
            probed = list(_probed(files))
            if probed and all(map(_are_carlas, probed)) and (named or _speaks_for_carla(root, files, probed)):
                return f"CARLA's tags or colours in {tags.relative_to(root)}, images in {images.relative_to(root)}"
    return None


def _are_carlas(tags: np.ndarray) -> bool:
    if tags.ndim == 2:
        return bool(tags.size) and int(tags.max()) <= max(TAGS_FROM_0_9_14)
    return _colours(tags) <= set(COLOURS)


def _speaks_for_carla(root: Path, files: Sequence[Path], probed: Sequence[np.ndarray]) -> bool:
    if class_file.find(root):
        return False  # it says what the labels mean
    seen = _seen(probed)
    version, _ = seen.version()
    if seen.files:
        both = version is not None and seen.sky[version] > 0 and seen.road[version] > 0
        return both or any(map(_is_red_alone, files[:PROBED_LABELS]))
    own = set(COLOURS) - set(CITYSCAPES.colours) - {(0, 0, 0)}
    return any(_colours(tags) & own for tags in probed)


def _is_red_alone(path: Path) -> bool:
    try:
        pixels = image_files.read_label(path)
    except Unusable:
        return False
    return pixels.ndim == 3 and bool(pixels[..., 0].any()) and not pixels[..., 1:].any()


def _colours(pixels: np.ndarray) -> set[tuple[int, ...]]:
    return set(map(tuple, np.unique(pixels.reshape(-1, 3), axis=0).tolist()))
