"""Where an image lies in a picture of another size, and the way back."""

import numpy as np
import pytest
from PIL import Image

from udas_tf.data import fitting
from udas_tf.data.fitting import FITS, place


def test_boxes_worked_out_by_hand():
    squeezed = place((480, 640), (100, 300), "squeeze")
    assert (squeezed.kept, squeezed.filled) == ((0, 0, 480, 640), (0, 0, 100, 300))
    # 300:100 of a width of 640 is a height of 213.3; (480 - 213.3) / 2 = 133.3 go at the top and at the bottom.
    cropped = place((480, 640), (100, 300), "crop")
    assert (cropped.kept, cropped.filled) == ((133, 0, 347, 640), (0, 0, 100, 300))
    # 640:480 of a height of 100 is a width of 133.3; (300 - 133.3) / 2 = 83.3 are bars.
    boxed = place((480, 640), (100, 300), "letterbox")
    assert (boxed.kept, boxed.filled) == ((0, 0, 480, 640), (0, 83, 100, 217))
    tall = place((40, 10), (20, 20), "letterbox")
    assert tall.filled == (0, 8, 20, 12)  # 20 x 5: a whole margin of 8 at both ends leaves 4
    assert place((40, 10), (20, 20), "crop").kept == (15, 0, 25, 10)


@pytest.mark.parametrize("fit", FITS)
def test_equal_proportions_are_the_same_whatever_the_fit(fit):
    placement = place((360, 640), (180, 320), fit)
    assert (placement.kept, placement.filled) == ((0, 0, 360, 640), (0, 0, 180, 320))


def test_something_of_a_line_is_always_left():
    assert fitting.lengths(place((1, 1000), (10, 10), "letterbox").filled) == (2, 10)
    assert fitting.lengths(place((1, 1000), (9, 9), "letterbox").filled) == (1, 9)
    assert fitting.lengths(place((1, 1000), (10, 10), "crop").kept) == (1, 2)


def test_a_label_is_cropped_letterboxed_and_brought_back():
    label = np.arange(8, dtype=np.uint8)[None].repeat(4, axis=0)  # columns 0 to 7, four high
    squeezed = place((4, 8), (2, 2), "squeeze")
    assert squeezed.label(label).tolist() == [[2, 6], [2, 6]]
    assert squeezed.undo(np.array([[2, 6], [2, 6]], np.uint8)).tolist() == [[2] * 4 + [6] * 4] * 4
    cropped = place((4, 8), (2, 2), "crop")  # columns 2 to 5
    assert cropped.label(label).tolist() == [[3, 5], [3, 5]]
    assert cropped.undo(np.array([[3, 5], [3, 5]], np.uint8)).tolist() == [[255, 255, 3, 3, 5, 5, 255, 255]] * 4
    boxed = place((4, 8), (4, 4), "letterbox")  # two rows in the middle
    assert boxed.label(label).tolist() == [[255] * 4, [1, 3, 5, 7], [1, 3, 5, 7], [255] * 4]
    back = boxed.undo(np.array([[9] * 4, [1, 3, 5, 7], [1, 3, 5, 7], [9] * 4], np.uint8))
    assert back.tolist() == [[1, 1, 3, 3, 5, 5, 7, 7]] * 4


@pytest.mark.parametrize("fit", FITS)
def test_image_and_label_are_placed_alike(fit):
    """A block of one colour stays under its label, whatever is cut off or added."""
    label = np.zeros((60, 80), np.uint8)
    label[20:40, 30:50] = 1
    placement = place((60, 80), (48, 24), fit)
    image = placement.resized(Image.fromarray(label * 200), Image.Resampling.BILINEAR)
    pixels, ids = placement.framed(np.asarray(image), 0), placement.label(label)
    assert ids.shape == pixels.shape == (48, 24)
    inside = ids == 1
    assert pixels[inside].min() > 50 and pixels[(ids == 0)].max() < 150 and not pixels[ids == 255].any()
