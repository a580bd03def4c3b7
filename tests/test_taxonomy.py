import numpy as np
import pytest

from udas_tf.taxonomy import CITYSCAPES, IGNORE


def test_the_nineteen_classes_of_cityscapes_in_the_order_of_its_train_ids():
    assert len(CITYSCAPES) == 19 == len(CITYSCAPES.classes) == len(CITYSCAPES.colours)
    assert CITYSCAPES.classes == (
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
        *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train"),
        *("motorcycle", "bicycle"),
    )


def test_ids_by_name():
    assert [CITYSCAPES.id_of(name) for name in ("road", "sky", "bicycle")] == [0, 10, 18]
    with pytest.raises(ValueError):
        CITYSCAPES.id_of("tram")


def test_palette_colours_classes_and_leaves_everything_else_black():
    palette = CITYSCAPES.palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    # cityscapesScripts, helpers/labels.py
    assert palette[0].tolist() == [128, 64, 128]
    assert palette[13].tolist() == [0, 0, 142]
    assert palette[18].tolist() == [119, 11, 32]
    assert IGNORE == 255 and not palette[19:].any()
    assert len({tuple(colour) for colour in palette[:19].tolist()}) == 19
