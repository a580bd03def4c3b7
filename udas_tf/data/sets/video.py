"""Video files, or images of a sequence, as photographs without labels: frames at intervals, without near duplicates.

OpenCV decodes the files; its wheels contain FFmpeg. Tested: .mp4, .mkv, .mov and .avi. Frames are turned upright where
the file says how. A `video.yaml` in the root, or beside a single file, may hold:

    every_seconds: 1.0         # the first frame in each interval of this length is a candidate; 0 = every frame is one
    min_change: 0.02           # from 0 to 1: a candidate that differs less from the frame kept before it is left out;
                               # 0 = none is
    frames_per_second: 25      # of the images of sequences, for every_seconds; without it every image is a candidate

Two frames differ by the mean absolute difference of their grey thumbnails of 32 x 18 pixels, where black and white
differ by 1. A warning counts what is left out of each video and each sequence.

Frame 123 of drive.mp4, counted from 0, is called drive_000123. The images of a sequence keep their names, and are
compared in the order of the numbers in these.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import itertools
import math
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

from udas_tf.data import annotated, image_files
from udas_tf.data.fitting import BAR, place
from udas_tf.data.image_files import SUFFIXES, Pair, Unusable
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.errors import UserError

LAYOUT = (
    "*.mp4, *.mkv, *.mov or *.avi, or the images of a sequence beside a video.yaml; in train/, val/ and test/, or for "
    "train alone in the root; or a single video file"
)
LABELLED = ()
CLASS_SET = "cityscapes"

OPTIONS = "video.yaml"
VIDEOS = (".mp4", ".mkv", ".mov", ".avi")  # in lower case
THUMBNAIL = (18, 32)  # height, width
HALF_MILLISECOND = 0.0005  # seconds; times of frames are rounded
LEAD = 0.5  # seconds before a frame from which it is looked for
MOST_MISSING = 0.05  # of the frames that a file's header announces, often as an estimate


@dataclasses.dataclass(frozen=True)
class Options:
    """What a video.yaml says; see the top of this file."""

    every_seconds: float = 1.0
    min_change: float = 0.02
    frames_per_second: float | None = None


@dataclasses.dataclass(frozen=True)
class Frame(Pair):
    """A frame of a video, `seconds` after its beginning."""

    seconds: float = 0.0


@dataclasses.dataclass
class Chosen:
    """The frames of a video or of a sequence that are kept, and how many are not.

    Attributes:
      pairs: the frames kept.
      frames: how many there are.
      candidates: how many the intervals select.
      skipped: frames and files that cannot be read.
      warnings: what else a user should know.
      untimed: how many have no later time than a frame before; they are no candidates.
    """

    pairs: list[Pair] = dataclasses.field(default_factory=list)
    frames: int = 0
    candidates: int = 0
    skipped: list[Skipped] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)
    untimed: int = 0


class Chooser:
    """Decides which frames of a video or sequence are kept. It sees them in their order."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._interval = -1
        self._kept: np.ndarray | None = None  # the thumbnail of the frame that was kept last

    def is_candidate(self, seconds: float | None) -> bool:
        """Whether a frame is the first in its interval; always where nothing says when it was taken."""
        if seconds is None or not self.options.every_seconds:
            return True
        interval = math.floor((seconds + HALF_MILLISECOND) / self.options.every_seconds)
        first, self._interval = interval > self._interval, max(interval, self._interval)
        return first

    def keeps(self, thumbnail: np.ndarray) -> bool:
        """Whether a candidate differs enough from the frame kept before; `thumbnail` is grey, uint8 [18, 32]."""
        if self._kept is not None and change(self._kept, thumbnail) < self.options.min_change:
            return False
        self._kept = thumbnail
        return True


def find(root: Path, split: str) -> SplitFiles:
    """The frames of all videos below the root, or of the sequences of images there: the images of one folder each.

    Every video is decoded once, to compare its frames. Where there are videos, images are skipped.

    Args:
      root: a folder, or a single video file, whose frames are "train".
      split: its frames lie in a folder of this name; without such folders all frames are "train".

    Raises:
      UserError: video.yaml is wrong, or two frames have one name.
    """
    folders = {"train": [root]} if root.is_file() else annotated.split_folders(root)
    if split not in folders:
        return SplitFiles([])
    options = read_options((root.parent if root.is_file() else root) / OPTIONS)
    parts = [_in_folder(folder, options) for folder in folders[split]]
    pairs = annotated.in_order(pair for part in parts for pair in part.pairs)
    skipped = tuple(itertools.chain.from_iterable(part.skipped for part in parts))
    warnings = tuple(itertools.chain.from_iterable(part.warnings for part in parts))
    return SplitFiles(pairs, None, skipped, warnings, read_image)


def recognise(root: Path) -> str | None:
    """Videos and no images, or a video.yaml with either.

    Images alone, however they are numbered, are a set of their own: nobody asked to leave some of them out.
    """
    folders = list(itertools.chain.from_iterable(annotated.split_folders(root).values()))
    videos = [path for folder in folders for path in sorted(folder.glob("*")) if path.suffix.lower() in VIDEOS]
    if (root / OPTIONS).is_file():
        return OPTIONS
    if videos and not any(listing(folder).images for folder in (root, *folders)):
        return f"{path_text(videos[0].relative_to(root))} and no images"
    return None


def read_options(path: Path) -> Options:
    """What a video.yaml says, or the defaults where there is none; UserError naming what is wrong in it."""
    try:
        content = yaml.safe_load(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {path_text(path)}: {error}") from error
    known = [field.name for field in dataclasses.fields(Options)]
    if not isinstance(content, dict | None):
        raise UserError(f"{path_text(path)}: expected lines such as 'every_seconds: 1.0'; keys are {', '.join(known)}")
    for key, value in (content or {}).items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            expected = f"did you mean {near[0]}?" if near else f"expected {', '.join(known)}"
            raise UserError(f"{path_text(path)}: the key {key!r} is unknown; {expected}")
        _check(path, key, value)
    return Options(**(content or {}))


def _check(path: Path, key: str, value: object) -> None:
    """UserError unless a value is a number that its key allows."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    most = 1 if key == "min_change" else math.inf
    if not (0 <= number <= most and math.isfinite(number)) or (key == "frames_per_second" and number == 0):
        expected = {"min_change": "0 to 1", "frames_per_second": "above 0"}.get(key, "0 or more")
        raise UserError(f"{path_text(path)}: {key} is {value!r}; expected a number, {expected}")


def change(one: np.ndarray, other: np.ndarray) -> float:
    """How much two thumbnails differ: the mean absolute difference of their greys, from 0 to 1."""
    return float(np.abs(one.astype(np.int16) - other).mean()) / 255


def read_image(pair: Pair, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """The frame at `size` = (height, width), uint8 RGB [*size, 3], and its own (height, width); see `image_files`."""
    if not isinstance(pair, Frame):
        return image_files.read_image(pair.image, size)
    rgb = cv2.cvtColor(_decoded(pair), cv2.COLOR_BGR2RGB)
    placed = place(rgb.shape[:2], size)
    picture = placed.resized(Image.fromarray(rgb), Image.Resampling.BILINEAR)
    return placed.framed(np.asarray(picture), BAR), placed.original


def _in_folder(where: Path, options: Options) -> SplitFiles:
    """The frames below a folder, or of one file."""
    if where.is_file():
        return _joined([_of_video(where, path_text(Path(where.stem)), options)], options)
    there = listing(where, aside=(OPTIONS,), endings=(*VIDEOS, *SUFFIXES))
    videos = [path for path in there.images if path.suffix.lower() in VIDEOS]
    images = [path for path in there.images if path.suffix.lower() not in VIDEOS]
    if videos:
        names = {path: path_text(path.relative_to(where).with_suffix("")) for path in videos}
        files = _joined([_of_video(path, name, options) for path, name in names.items()], options)
        skipped = [Skipped(path_text(path), "is an image beside videos, which are read") for path in images]
    else:
        folders = itertools.groupby(sorted(images, key=_number_order), key=lambda path: path.parent)
        files = _joined([_of_sequence(list(paths), where, options) for _, paths in folders], options)
        skipped = []
    return dataclasses.replace(
        files,
        skipped=(*there.skipped, *files.skipped, *skipped),
        warnings=(*there.warnings(where), *files.warnings),
    )


def _joined(parts: list[tuple[str, Chosen]], options: Options) -> SplitFiles:
    """What was chosen of all videos or sequences, each with its name."""
    return SplitFiles(
        [pair for _, part in parts for pair in part.pairs],
        None,
        tuple(file for _, part in parts for file in part.skipped),
        tuple(warning for name, part in parts for warning in (*part.warnings, *_counted(name, part, options))),
    )


def _counted(name: str, chosen: Chosen, options: Options) -> list[str]:
    """One warning of what was left out of a video or a sequence; none where all is kept."""
    kept = len(chosen.pairs)
    between = chosen.frames - chosen.candidates - chosen.untimed - len(chosen.skipped)
    alike = chosen.candidates - kept
    reasons = []
    if between:
        reasons.append(f"{between} between those taken every {options.every_seconds:g} s")
    if alike:
        reasons.append(f"{alike} that differ from the one kept before by less than min_change={options.min_change:g}")
    if chosen.untimed:
        reasons.append(f"{chosen.untimed} that say no later time than a frame before, which a copy as .mp4 may correct")
    return [f"{name}: {kept} of {chosen.frames} frames are kept; left out: {' and '.join(reasons)}"] if reasons else []


def _of_video(path: Path, name: str, options: Options) -> tuple[str, Chosen]:
    chosen, chooser, last = Chosen(), Chooser(options), -1.0
    with _opened(path) as capture:
        announced = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        while capture.grab():
            seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if seconds <= last:
                chosen.untimed += 1
            elif chooser.is_candidate(seconds):
                _consider(capture, Frame(f"{name}_{chosen.frames:06d}", path, seconds=seconds), chosen, chooser)
            last = max(seconds, last)
            chosen.frames += 1
    if not chosen.frames:
        reason = "cannot be read: it is truncated or damaged, or OpenCV's FFmpeg does not know how it is encoded"
        chosen.skipped.append(Skipped(path_text(path), reason))
    elif chosen.frames < (1 - MOST_MISSING) * announced:
        chosen.warnings.append(
            f"{path_text(path)}: {chosen.frames} frames could be read where the file announces {announced:.0f}; it may "
            "be truncated or damaged"
        )
    return path_text(path), chosen


def _consider(capture: cv2.VideoCapture, frame: Frame, chosen: Chosen, chooser: Chooser) -> None:
    """Adds the candidate that `capture` stands at to those that are kept, or to those that are not."""
    decoded, pixels = capture.retrieve()
    if not decoded:
        chosen.skipped.append(Skipped(path_text(frame.image), f"has a frame that cannot be decoded, {frame.name}"))
        return
    chosen.candidates += 1
    if chooser.keeps(_thumbnail(pixels)):
        chosen.pairs.append(frame)


def _of_sequence(paths: list[Path], root: Path, options: Options) -> tuple[str, Chosen]:
    """The images of one folder, in their order."""
    chosen, chooser = Chosen(frames=len(paths)), Chooser(options)
    for number, path in enumerate(paths):
        rate = options.frames_per_second
        if not chooser.is_candidate(None if rate is None else number / rate):
            continue
        try:
            pixels, _ = image_files.read_image(path, THUMBNAIL)
        except Unusable as error:
            chosen.skipped.append(Skipped(path_text(path), error.reason))
            continue
        chosen.candidates += 1
        if chooser.keeps(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)):
            chosen.pairs.append(Pair(path_text(path.relative_to(root).with_suffix("")), path))
    return path_text(paths[0].parent), chosen


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    """A frame, uint8 BGR [h, w, 3], as a grey thumbnail, uint8 [18, 32]."""
    return cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), THUMBNAIL[::-1], interpolation=cv2.INTER_AREA)


def _decoded(frame: Frame) -> np.ndarray:
    """The pixels of a frame, uint8 BGR [h, w, 3]. It is found by its time: jumps in a video may be inexact."""
    with _opened(frame.image) as capture:
        for start in (max(0.0, frame.seconds - LEAD), 0.0):
            capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * start)
            while capture.grab():
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if seconds > frame.seconds + HALF_MILLISECOND:
                    break
                if seconds > frame.seconds - HALF_MILLISECOND:
                    decoded, pixels = capture.retrieve()
                    if decoded:
                        return pixels
    raise Unusable(frame.image, f"has no readable frame at {frame.seconds:.3f} s, where {frame.name} was")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """A video file; one that cannot be opened has no frames."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        yield capture
    finally:
        capture.release()


def _number_order(path: Path) -> tuple[Path, list[tuple[int, str]]]:
    """Folder by folder; in a folder frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    return path.parent, [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
