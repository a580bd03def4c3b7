"""Image and label files: decoded whole or refused with a reason, and reduced to the size of the records.

docs/data.md lists what is read and how each kind of file is treated.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from udas_tf.data.fitting import BAR, Fit, Placement, lengths, place

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".tif", ".tiff")  # in lower case
IMAGE_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
WIDE_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # more than 8 bits in one channel
ALPHA_MODES = ("LA", "PA", "RGBA")
COLOUR_MODES = ("RGB", "RGBA")
ID_MODES = ("1", "L", "LA", "P", "PA", *WIDE_MODES)
LEAST_WIDE = 1 << 12  # a 16-bit image without a higher value has 12 bits or fewer in it
PHOTOGRAPHS = ("JPEG", "MPO")  # formats that keep no values; MPO is a camera's JPEG with a preview in it
# What Pillow raises for files that are not, or no longer, what they seem.
DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
UPRIGHT = 1  # EXIF orientation
# EXIF orientation -> what turns the stored pixels upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LYING = (5, 6, 7, 8)  # orientations whose height is stored as width

# Pillow warns of odd metadata, which nothing here needs, and from half of the size on that it refuses.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclasses.dataclass(frozen=True)
class Pair:
    """An image and its label. A data set that needs more to read one may derive a class of its own.

    Attributes:
      name: of the image within its data set; no two share one.
      image: the file that holds it.
      label: the file that holds its label, an image or a description such as JSON, or the place where that was looked
        for; None where the data set has no labels.
      labelled: whether there is a label.
    """

    name: str
    image: Path
    label: Path | None = None
    labelled: bool = False


class Unusable(Exception):
    """A file that no record can be made of.

    Attributes:
      path: of the file.
      reason: in words, without the path.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def read_image(
    path: Path, size: tuple[int, int], fit: Fit = "squeeze", content: bytes | None = None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes an image, turns it upright, and reduces it with a triangle filter as wide as the reduction: no aliases.

    JPEGs are decoded at the smallest of their own scales that is no smaller than `size`.

    Args:
      path: an image in a format of `SUFFIXES`. Alpha is left out; 16 bits a channel become 8, the upper ones.
      size: (height, width), pixels.
      fit: what becomes of other proportions.
      content: the encoded image, where `path` is a file that holds many; None = all of the file.

    Returns:
      uint8 RGB [*size, 3], and the upright image's own (height, width). `fitting.place` of both, and of `fit`, says
      which part of the image lies where.

    Raises:
      Unusable: the file is missing, truncated, damaged or of another kind.
    """
    with _opened(path, content) as image:
        wide = ";16" in str(image.tile)  # before it is decoded
        if image.mode not in IMAGE_MODES and not (wide and image.mode in WIDE_MODES):
            raise Unusable(path, f"is an image of mode {image.mode}; expected colour or grey of 8 or 16 bits")
        orientation = _orientation(image)
        stored = place(image.size[::-1], size[::-1] if orientation in LYING else size, fit)
        image.draft("RGB", _least(stored))
        picture = stored.resized(_in_rgb(path, image, wide), Image.Resampling.BILINEAR)
        pixels = stored.framed(np.asarray(picture), BAR)
        if orientation in TURNS:
            pixels = np.asarray(Image.fromarray(pixels).transpose(TURNS[orientation]))
        return pixels, stored.original[::-1] if orientation in LYING else stored.original


def read_label(path: Path) -> np.ndarray:
    """Decodes a label and turns it upright: ids [h, w] of any integer type, or colours uint8 [h, w, 3].

    The ids of a palette image are its indices; `read_label_and_palette` also says which colours they have. Alpha is
    left out. Unusable as for `read_image`, and for files that keep no values, such as JPEG.
    """
    return read_label_and_palette(path)[0]


def read_label_and_palette(path: Path, content: bytes | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """As `read_label`, and the colours of the indices, uint8 [n, 3]; `content` as for `read_image`.

    The latter are None where the file has no palette, or one of greys that says no more.
    """
    with _opened(path, content) as image:
        _check_label(path, image, content)
        orientation = _orientation(image)
        upright = image.transpose(TURNS[orientation]) if orientation in TURNS else image
        values = np.asarray(upright)
        if image.mode in ALPHA_MODES:
            values = values[..., 0] if image.mode != "RGBA" else values[..., :3]
        return values.astype(np.uint8) if values.dtype == bool else values, _palette(image)


def read_first_channel(path: Path) -> np.ndarray:
    """Decodes the ids of SYNTHIA, [h, w]: the first, red channel of a 16-bit PNG.

    Pillow keeps only the upper byte of such files, in which every id is 0.
    """
    with _opened(path):  # its header, for what is too large or no image
        pass
    # OpenCV warns on standard error about damage, and answers None; its channels are blue, green, red.
    try:
        label = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:
        raise Unusable(path, "cannot be read") from error
    if label is None:
        raise Unusable(path, "cannot be read as PNG; it is truncated or damaged")
    return label if label.ndim == 2 else label[..., 2]


def resize_label(label: np.ndarray, size: tuple[int, int], fit: Fit = "squeeze") -> np.ndarray:
    """A label at the size of its picture, by nearest neighbours; uint8 [h, w] -> uint8 [*size]."""
    return place(label.shape, size, fit).label(label)


@contextlib.contextmanager
def _opened(path: Path, content: bytes | None = None) -> Iterator[ImageFile.ImageFile]:
    """A Pillow image; damage found while opening or decoding it becomes Unusable, as does a file of several images."""
    try:
        with Image.open(path if content is None else io.BytesIO(content)) as image:
            if getattr(image, "is_animated", False) and image.format not in PHOTOGRAPHS:
                raise Unusable(path, f"holds {getattr(image, 'n_frames', 'several')} images; expected one")
            yield image
    except DAMAGE as error:
        raise Unusable(path, _in_words(path, error)) from error


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation. It decodes all but JPEG, whose scale is yet to be chosen; Pillow turns TIFF by itself."""
    if image.format not in PHOTOGRAPHS:
        image.load()
    if image.format == "TIFF":
        return UPRIGHT
    try:
        return image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except DAMAGE:  # of the EXIF data alone: viewers show such a file as it is stored
        return UPRIGHT


def _least(stored: Placement) -> tuple[int, int]:
    """The least (width, height) that a JPEG may be decoded at."""
    kept, filled = lengths(stored.kept), lengths(stored.filled)
    height, width = (-(-whole * part // of) for whole, part, of in zip(stored.original, filled, kept, strict=True))
    return width, height


def _in_rgb(path: Path, image: Image.Image, wide: bool) -> Image.Image:
    """A decoded image as RGB of 8 bits; Unusable where the upper bits of 16 say nothing."""
    if image.mode in WIDE_MODES:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info and image.mode == "P":
        image = image.convert("RGBA")  # Pillow warns about the direct way
    rgb = image.convert("RGB")
    if wide and np.asarray(rgb).max() < LEAST_WIDE >> 8:
        raise Unusable(path, "has 16 bits a channel, of which it uses the lower 12 alone; convert it to 8 bits")
    return rgb


def _check_label(path: Path, image: ImageFile.ImageFile, content: bytes | None) -> None:
    if image.format in PHOTOGRAPHS or image.info.get("compression") == "jpeg" or _is_lossy_webp(path, image, content):
        raise Unusable(path, f"is a label saved as {image.format}, which does not keep its values; save it as PNG")
    if image.mode not in (*ID_MODES, *COLOUR_MODES):
        raise Unusable(path, f"is a label of mode {image.mode}; expected one channel of ids, or RGB")
    if image.mode in COLOUR_MODES and ";16" in str(image.tile):
        raise Unusable(path, "is a colour label of 16 bits a channel; expected 8, or one channel of ids")
    if few := re.search(r"'L;([24])", str(image.tile)):
        raise Unusable(path, f"is a grey label of {few[1]} bits, which programs read differently; save it with 8")


def _is_lossy_webp(path: Path, image: Image.Image, content: bytes | None) -> bool:
    """Whether a WebP file has the chunk of the lossy kind, "VP8 ", and not that of the other, "VP8L"."""
    return image.format == "WEBP" and b"VP8L" not in (path.read_bytes() if content is None else content)


def _palette(image: Image.Image) -> np.ndarray | None:
    """The colours of the indices, uint8 [n, 3]; None without any, or where these are the greys of one channel."""
    listed = image.getpalette("RGB") if image.mode in ("P", "PA") else None
    colours = np.array(listed or [], np.uint8).reshape(-1, 3)
    return None if np.array_equal(colours, np.arange(len(colours))[:, None].repeat(3, axis=1)) else colours


def _in_words(path: Path, error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return f"is a link to {path.readlink()}, which does not exist" if path.is_symlink() else "does not exist"
    if isinstance(error, Image.DecompressionBombError):
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        return f"says that it has more than {most:,} pixels, which are not read; cut it into parts"
    if isinstance(error, UnidentifiedImageError):
        empty = path.stat().st_size == 0
        return "is empty, 0 bytes" if empty else "cannot be read: no image format that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"cannot be read: {str(error) or type(error).__name__}"
