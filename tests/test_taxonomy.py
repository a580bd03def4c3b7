import numpy as np
import pytest

from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.taxonomy import IGNORE, ClassSet


def test_a_train_id_is_a_position_in_the_class_set():
    mine = ClassSet("mine", ("shelf", "floor"), ((1, 0, 0), (2, 0, 0)))
    assert len(mine) == 2
    assert [mine.id_of(name) for name in ("shelf", "floor")] == [0, 1]
    with pytest.raises(ValueError):
        mine.id_of("tram")


def test_palette_colours_classes_and_leaves_everything_else_black():
    palette = CITYSCAPES.palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    # cityscapesScripts, helpers/labels.py
    assert palette[0].tolist() == [128, 64, 128]
    assert palette[13].tolist() == [0, 0, 142]
    assert palette[18].tolist() == [119, 11, 32]
    assert IGNORE == 255 and not palette[19:].any()
    assert len({tuple(colour) for colour in palette[:19].tolist()}) == 19
