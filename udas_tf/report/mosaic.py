"""A picture of sets of records: some images above their coloured labels, and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from udas_tf.data import pipeline, records
from udas_tf.sizes import size_text
from udas_tf.taxonomy import ClassSet

COLUMNS = 4
WIDEST = 320  # pixels of a tile; larger records are reduced
NARROWEST = 640  # pixels of the picture, for the captions and the legend
GAP = 4
LINE = 22  # height of a line of text
ENTRY = 130  # width of an entry of the legend
PAPER, INK = (255, 255, 255), (31, 41, 51)


def write(path: Path, directories: Sequence[Path], classes: ClassSet) -> None:
    """Writes a PNG file: for each set a caption, a row of images and, where all have labels, a row of labels below.

    Args:
      path: of the file.
      directories: sets of records, from top to bottom.
      classes: names and colours of the labels.
    """
    rows = {directory: _rows(directory, classes.palette()) for directory in directories}
    tiles = [tile for lines in rows.values() for line in lines for tile in line]
    width = max(NARROWEST, COLUMNS * (max(tile.width for tile in tiles) + GAP) + GAP)
    entries = width // ENTRY
    legend = -(-(len(classes) + 1) // entries)
    height = LINE * (len(rows) + legend) + GAP * (len(rows) + 1)
    height += sum(line[0].height + GAP for lines in rows.values() for line in lines)
    picture = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(12)
    top = GAP
    for directory, lines in rows.items():
        draw.text((GAP, top), _caption(directory), INK, font)
        top += LINE
        for line in lines:
            for column, tile in enumerate(line):
                picture.paste(tile, (GAP + column * (tile.width + GAP), top))
            top += line[0].height + GAP
        top += GAP
    colours = {**dict(zip(classes.classes, classes.colours, strict=True)), "ignored": (0, 0, 0)}
    for number, (name, colour) in enumerate(colours.items()):
        left, upper = GAP + number % entries * ENTRY, top + number // entries * LINE
        draw.rectangle((left, upper + 1, left + 14, upper + 15), colour)
        draw.text((left + 20, upper), name, INK, font)
    picture.save(path)


def _caption(directory: Path) -> str:
    manifest = records.read_manifest(directory)
    return f"{directory.name}: {manifest.count} images of {size_text(manifest.size)}, {manifest.with_label} labels"


def _rows(directory: Path, palette: np.ndarray) -> list[list[Image.Image]]:
    """A row with a few images, evenly spread over a set, and a row with their labels where all have one."""
    manifest = records.read_manifest(directory)
    fields = ("image", "label") if manifest.all_labelled else ("image",)
    batches, _ = pipeline.evaluation(directory, 1, fields)
    chosen = list(batches.shard(max(1, manifest.count // COLUMNS), 0).take(COLUMNS).as_numpy_iterator())
    rows = [[_tile(batch["image"][0], Image.Resampling.BOX) for batch in chosen]]
    if "label" in fields:
        rows.append([_tile(palette[batch["label"][0]], Image.Resampling.NEAREST) for batch in chosen])
    return rows


def _tile(pixels: np.ndarray, resampling: Image.Resampling) -> Image.Image:
    tile = Image.fromarray(pixels)
    tile.thumbnail((WIDEST, WIDEST), resampling, reducing_gap=None)
    return tile
