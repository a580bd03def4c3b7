"""Small data sets in the layouts and odd formats of their owners."""

import cv2
import numpy as np
from PIL import Image

from udas_tf.data.class_sets import CITYSCAPES

HEIGHT, WIDTH = 8, 16


def image(path, seed=0, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def bands(*values, size=(HEIGHT, WIDTH), dtype=np.uint8):
    """Vertical bands of equal width: [h, w]."""
    return np.tile(np.repeat(np.array(values, dtype), size[1] // len(values)), (size[0], 1))


def ids(path, *values, size=(HEIGHT, WIDTH)):
    """A grey PNG of ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(bands(*values, size=size)).save(path)
    return path


def palette_png(path, *values, size=(HEIGHT, WIDTH)):
    """As GTA5's labels: a palette PNG whose indices are Cityscapes' labelIds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    label = Image.fromarray(bands(*values, size=size))
    colours = {7: (128, 64, 128), 8: (244, 35, 232), 11: (70, 70, 70), 23: (70, 130, 180), 26: (0, 0, 142)}
    label.putpalette([part for index in range(256) for part in colours.get(index, (0, 0, 0))])
    label.save(path)
    assert Image.open(path).mode == "P"
    return path


def sixteen_bits(path, *values):
    """As SYNTHIA's labels: 16-bit RGB of (class, instance, 0)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    classes = bands(*values, dtype=np.uint16)
    instances = np.random.default_rng(0).integers(0, 60_000, classes.shape).astype(np.uint16)
    cv2.imwrite(str(path), np.dstack([np.zeros_like(classes), instances, classes]))  # blue, green, red
    return path


def colours(path, *values):
    """As CamVid's labels: RGB."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands_of_colour = np.repeat(np.array(values, np.uint8), WIDTH // len(values), axis=0)
    Image.fromarray(np.tile(bands_of_colour, (HEIGHT, 1, 1))).save(path)
    return path


def gta5(root, count=3):
    for number in range(1, count + 1):
        image(root / f"images/{number:05d}.png", number)
        palette_png(root / f"labels/{number:05d}.png", 7, 26, 34, 0)
    return root


def cityscapes(root, split, city, frames, ending="_gtFine_labelIds.png", values=(7, 26, 23, 1)):
    for frame in frames:
        name = f"{city}_{frame:06d}_000019"
        image(root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", frame)
        if ending:
            ids(root / f"gtFine/{split}/{city}/{name}{ending}", *values)
            (root / f"gtFine/{split}/{city}/{name}_gtFine_polygons.json").write_text("{}")
    return root


def label_of(files, index=0, classes=CITYSCAPES):
    """The first row of a label of `SplitFiles`, as train ids: one value for each of the four bands."""
    label = files.labels.reader(classes)(files.pairs[index])
    assert label.dtype == np.uint8 and (label == label[0]).all()
    return label[0, :: WIDTH // 4].tolist()


def left_out(files):
    """(name of the file, reason) of each file that `SplitFiles` leaves out."""
    return [(file.path.rpartition("/")[2], file.reason) for file in files.skipped]
