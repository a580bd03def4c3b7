"""Segments a folder of images with an exported model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import logging
from PIL import Image, ImageDraw, ImageFont, ImageOps

from udas_tf import progress, serving
from udas_tf.data.image_files import resize_label
from udas_tf.errors import UserError
from udas_tf.serving._served import ServedModel
from udas_tf.sizes import size_text
from udas_tf.taxonomy import ClassSet

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # Pillow's errors for a bad image
NO_SIGN = "\U0010ffff"  # no font has a glyph for it
OPACITY = 0.55  # of the class colours over the image


def predict(model: str, images: str, output: str, own_size: bool = False) -> None:
    """Writes the class ids and a coloured overlay of every image in a folder, and a legend of the colours.

    Each image is resized to the size that the model was exported for, or else to the size of its training images: at
    other sizes objects look larger or smaller than in training. Other proportions are not kept. The class ids are
    resized back to the image's size by nearest neighbours.

    The results are output/ids/NAME.png (train ids, uint8, of the image's size), output/overlays/NAME.png (the image
    under the colours of its classes) and output/legend.png. NAME is the image's name without its ending, or with the
    ending where two images have the same name otherwise.

    Args:
      model: directory of an exported model of any format.
      images: folder of .bmp, .jpeg, .jpg and .png files; folders inside it are ignored.
      output: folder for the results.
      own_size: leave each image at its own size.

    Raises:
      UserError: the folder or the model is missing or unsuitable. Or some images cannot be read: the message names
        them, and all others are done by then.
    """
    files = find_images(Path(images))
    served = serving.load(Path(model))
    if own_size and served.description.size:
        raise UserError(
            f"--own_size, but {model} takes images of {size_text(served.description.size)} pixels alone; leave it out, "
            "or export the model without --size"
        )
    classes = served.description.taxonomy
    size = None if own_size else served.description.size or served.description.trained_size
    ids_folder, overlay_folder = Path(output) / "ids", Path(output) / "overlays"
    for folder in (ids_folder, overlay_folder):
        folder.mkdir(parents=True, exist_ok=True)
    legend(classes).save(Path(output) / "legend.png")
    _warn_of_missing_glyphs(classes)
    unreadable = []
    with progress.bar(len(files), "predict", "image") as bar:
        for name, file in names(files).items():
            try:
                image = read_image(file)
            except UNREADABLE as error:
                unreadable.append(f"{file} ({error})")
            else:
                ids = _class_ids(served, image, size)
                Image.fromarray(ids).save(ids_folder / f"{name}.png")
                Image.fromarray(overlay(image, ids, classes)).save(overlay_folder / f"{name}.png")
            bar.update()
    logging.info("%d images: %s, %s", len(files) - len(unreadable), overlay_folder, ids_folder)
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(files)} images could not be read and were left out, the others are "
            f"done; replace or remove: {'; '.join(unreadable)}"
        )


def _class_ids(served: ServedModel, image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Class ids, uint8 [H, W], of an image, uint8 RGB [H, W, 3]; predicted at `size`, (height, width), unless None."""
    if size:
        resized = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
        return resize_label(served(resized[np.newaxis])["class_ids"][0], image.shape[:2])
    return served(image[np.newaxis])["class_ids"][0]


def find_images(folder: Path) -> list[Path]:
    """The image files of a folder, sorted by name; UserError when there is no folder or no image in it."""
    if not folder.is_dir():
        raise UserError(f"--images={folder} is not a folder; expected one with {', '.join(SUFFIXES)} files")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise UserError(f"--images={folder} holds no image; expected {', '.join(SUFFIXES)} files in it")
    return files


def names(files: Sequence[Path]) -> dict[str, Path]:
    """A unique name for the results of each image -> the image; without its ending where that is unique."""
    # Upper and lower case count as the same, since on some file systems a.png and A.png are one file.
    whole = {file.name.casefold() for file in files}
    stems = Counter(file.stem.casefold() for file in files)
    return {
        file.name if stems[file.stem.casefold()] > 1 or file.stem.casefold() in whole else file.stem: file
        for file in files
    }


def read_image(file: Path) -> np.ndarray:
    """Reads an image and turns it as a viewer would (EXIF orientation).

    Returns:
      uint8 RGB [H, W, 3].

    Raises:
      Any of UNREADABLE: the file is damaged, is no image or has more than 8 bits a channel.
    """
    with Image.open(file) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"Pillow mode {image.mode}, expected 8 bits a channel")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def overlay(image: np.ndarray, ids: np.ndarray, classes: ClassSet) -> np.ndarray:
    """Blends the colours of classes over an image.

    Args:
      image: uint8 RGB [H, W, 3].
      ids: uint8 train ids [H, W].
      classes: for the colours.

    Returns:
      uint8 RGB [H, W, 3].
    """
    colours = Image.fromarray(classes.palette()[ids])
    return np.asarray(Image.blend(Image.fromarray(image), colours, OPACITY))


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(16)


def _warn_of_missing_glyphs(classes: ClassSet) -> None:
    """Warns where the font of the legend has boxes for signs of the classes' names, such as Chinese ones."""
    font = _font()
    box = bytes(font.getmask(NO_SIGN))
    lacking = [
        f"{number} is {name}"
        for number, name in enumerate(classes.classes)
        if any(bytes(font.getmask(sign)) == box for sign in name if not sign.isspace())
    ]
    if lacking:
        logging.warning("legend.png has boxes in place of signs that its font lacks; there, %s", ", ".join(lacking))


def legend(classes: ClassSet) -> Image.Image:
    """A picture with one line per class: its colour, train id and name."""
    line, margin, font = 28, 14, _font()
    texts = [f"{number}  {name}" for number, name in enumerate(classes.classes)]
    width = 3 * margin + line + round(max(font.getlength(text) for text in texts))
    picture = Image.new("RGB", (width, 2 * margin + line * len(classes)), "white")
    draw = ImageDraw.Draw(picture)
    for number, (text, colour) in enumerate(zip(texts, classes.colours, strict=True)):
        top = margin + number * line
        draw.rectangle((margin, top + 3, margin + line, top + line - 4), fill=colour)
        draw.text((2 * margin + line, top + line // 2), text, fill="black", font=font, anchor="lm")
    return picture
