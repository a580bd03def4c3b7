"""Hand-made street scenes: sky above, road below, and boxes of two more classes, each class in a colour of its own."""

import numpy as np

CLASSES = ("sky", "road", "car", "pole")
COLOURS = np.array([(150, 190, 240), (70, 70, 75), (170, 40, 40), (230, 220, 120)], np.float32)
SIZE = (96, 160)


def scene(seed, size=SIZE, scale=1.0):
    """An image, uint8 RGB, and its label; the boxes' sides grow with `scale`."""
    draw = np.random.default_rng(seed)
    height, width = size
    label = np.zeros(size, np.uint8)
    label[draw.integers(height // 3, height // 2) :] = 1
    for number, (least, most) in ((2, (8, 14)), (3, (3, 5)), (2, (8, 14)), (3, (3, 5)), (2, (8, 14))):
        high, wide = (round(scale * side) for side in draw.integers(least, most, 2))
        top, left = draw.integers(10, height - high), draw.integers(0, width - wide)
        label[top : top + high, left : left + wide] = number
    image = COLOURS[label] + draw.normal(0, 4, (*size, 3))
    return image.clip(0, 255).astype(np.uint8), label
