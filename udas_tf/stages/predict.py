"""Segments a folder of images with an exported model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from udas_tf import progress
from udas_tf.data.image_files import resize_label
from udas_tf.errors import UserError
from udas_tf.serving import saved_model
from udas_tf.taxonomy import ClassSet

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises
OPACITY = 0.55  # of the class colours over the image


def predict(model: str, images: str, output: str, own_size: bool = False) -> None:
    """Writes the class ids and a coloured overlay of every image in a folder, and the legend of the colours.

    The network sees each image resized to the size that it was trained at, as records are, or was exported for: at
    another, things are larger or smaller than it knows them. An image of other proportions is squeezed. The ids are
    brought back to the image's size by the nearest pixel.

    output/ids/NAME.png: train ids, uint8, the size of the image. output/overlays/NAME.png: the image under
    the colours of its classes. output/legend.png. NAME is that of the image without its ending, or with it
    where several images differ in nothing else.

    Args:
      model: directory of a SavedModel that `export` wrote.
      images: folder of .bmp, .jpeg, .jpg and .png files; folders within it are not looked into.
      output: folder for the results.
      own_size: the network sees each image at its own size instead.

    Raises:
      UserError: no such folder or model; or, after all other images are done, those that could not be read.
    """
    files = find_images(Path(images))
    served = saved_model.load(Path(model))
    if own_size and served.size:
        raise UserError(
            f"--own_size, but {model} takes images of {served.size[0]}x{served.size[1]} pixels alone; leave it out, or "
            "export the model without --size"
        )
    size = None if own_size else served.size or served.trained_size
    ids_folder, overlay_folder = Path(output) / "ids", Path(output) / "overlays"
    for folder in (ids_folder, overlay_folder):
        folder.mkdir(parents=True, exist_ok=True)
    legend(served.classes).save(Path(output) / "legend.png")
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
                Image.fromarray(overlay(image, ids, served.classes)).save(overlay_folder / f"{name}.png")
            bar.update()
    print(f"{len(files) - len(unreadable)} images: {overlay_folder}, {ids_folder}")
    if unreadable:
        raise UserError(
            f"{len(unreadable)} of {len(files)} images could not be read and were left out, the others are "
            f"done; replace or remove: {'; '.join(unreadable)}"
        )


def _class_ids(
    served: saved_model.ServedModel, image: np.ndarray, size: tuple[int, int] | None
) -> np.ndarray:
    """Of uint8 RGB [H, W, 3], seen at (height, width) `size` where it is given: uint8 [H, W]."""
    if size:
        seen = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
        return resize_label(served(seen[np.newaxis])["class_ids"][0].numpy(), image.shape[:2])
    return served(image[np.newaxis])["class_ids"][0].numpy()


def find_images(folder: Path) -> list[Path]:
    """The image files of a folder by name; UserError when there are none."""
    if not folder.is_dir():
        raise UserError(f"--images={folder} is not a folder; expected one with {', '.join(SUFFIXES)} files")
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    if not files:
        raise UserError(f"--images={folder} holds no image; expected {', '.join(SUFFIXES)} files in it")
    return files


def names(files: Sequence[Path]) -> dict[str, Path]:
    """A name of its own for the results of each image: without its ending where that tells them apart."""
    # Compared without case, since some file systems do not tell a.png from A.png.
    whole = {file.name.casefold() for file in files}
    stems = Counter(file.stem.casefold() for file in files)
    return {
        file.name if stems[file.stem.casefold()] > 1 or file.stem.casefold() in whole else file.stem: file
        for file in files
    }


def read_image(file: Path) -> np.ndarray:
    """An image as a viewer would turn it (EXIF orientation): uint8 RGB [H, W, 3].

    Raises:
      Any of UNREADABLE: the file is damaged or no image, or has more than 8 bits a channel.
    """
    with Image.open(file) as image:
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"Pillow mode {image.mode}, expected 8 bits a channel")
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def overlay(image: np.ndarray, ids: np.ndarray, classes: ClassSet) -> np.ndarray:
    """The colours of `ids`, uint8 [H, W], over `image`, uint8 RGB [H, W, 3]; uint8 RGB [H, W, 3]."""
    colours = Image.fromarray(classes.palette()[ids])
    return np.asarray(Image.blend(Image.fromarray(image), colours, OPACITY))


def legend(classes: ClassSet) -> Image.Image:
    """A column of colours with their train ids and class names."""
    line, margin, font = 28, 14, ImageFont.load_default(16)
    texts = [f"{number}  {name}" for number, name in enumerate(classes.classes)]
    width = 3 * margin + line + round(max(font.getlength(text) for text in texts))
    picture = Image.new("RGB", (width, 2 * margin + line * len(classes)), "white")
    draw = ImageDraw.Draw(picture)
    for number, (text, colour) in enumerate(zip(texts, classes.colours, strict=True)):
        top = margin + number * line
        draw.rectangle((margin, top + 3, margin + line, top + line - 4), fill=colour)
        draw.text((2 * margin + line, top + line // 2), text, fill="black", font=font, anchor="lm")
    return picture
