import io

import numpy as np
import pytest
from labelled_scenes import scene
from PIL import Image

from udas_tf.data.checks import duplicates
from udas_tf.data.checks.thumbnails import Thumbnails, difference_hash, look


def thumbnails(images):
    return Thumbnails.of([(name, look(image)) for name, image in images.items()])


def encoded_again(image, quality=30, size=(120, 72)):
    """As a JPEG, resized to (width, height) and back."""
    file = io.BytesIO()
    Image.fromarray(image).resize(size).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).resize(image.shape[1::-1]))


TRAIN = {f"train_{number}": scene(number)[0] for number in range(20)}
OTHERS = {f"val_{number}": scene(100 + number)[0] for number in range(10)}


def test_other_images_are_no_duplicates():
    assert duplicates.findings(thumbnails(TRAIN), thumbnails(OTHERS)) == []


@pytest.mark.parametrize("size", [(160, 96), (120, 72), (320, 192)])
def test_an_image_that_is_encoded_again_or_resized_is_found(size):
    val = thumbnails({**OTHERS, "again": encoded_again(TRAIN["train_7"], size=size)})
    (found,) = duplicates.findings(thumbnails(TRAIN), val)
    assert found.kind == "in_train_and_val"
    assert "1 of 11 validation images" in found.text and "again = train_7" in found.text


def test_a_warning_names_three_and_counts_the_rest():
    (found,) = duplicates.findings(thumbnails(TRAIN), thumbnails(dict(list(TRAIN.items())[:5])))
    assert "train_2 = train_2 and 2 more" in found.text


def test_images_of_one_grey_are_alike_and_no_duplicates():
    grey = {"grey": np.full((96, 160, 3), 90, np.uint8)}
    assert duplicates.findings(thumbnails(grey), thumbnails(grey)) == []


def test_a_difference_hash_says_which_cells_are_clearly_lighter_or_darker_than_those_on_their_left():
    rising = np.tile(10 * np.arange(9, dtype=np.float32), (8, 1))
    assert difference_hash(rising).tolist() == [1] * 64
    assert difference_hash(rising[:, ::-1]).tolist() == [-1] * 64
    assert not difference_hash(rising / 10).any()
    rising[3, 5] = 0
    assert np.flatnonzero(difference_hash(rising) != 1).tolist() == [3 * 8 + 4]  # and the next one rises again
