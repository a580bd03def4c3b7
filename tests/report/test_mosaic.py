import numpy as np
from PIL import Image

from udas_tf.data import records
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sample import Sample
from udas_tf.report import mosaic

ROAD, SKY = CITYSCAPES.id_of("road"), CITYSCAPES.id_of("sky")


def write(directory, labelled, count, size, grey):
    """Images of one grey, the first of `grey` and each brighter by 1; labels are sky above road."""
    rows = np.where(np.arange(size[0]) < size[0] // 2, SKY, ROAD).astype(np.uint8)
    label = np.repeat(rows[:, np.newaxis], size[1], axis=1) if labelled else None
    records.write(
        directory,
        "training",
        count,
        lambda indices: (Sample(f"{i}", np.full((*size, 3), grey + i, np.uint8), label) for i in indices),
        shard_images=4,
        provenance={},
        label="test",
    )
    return directory


def test_the_mosaic_has_images_above_their_labels_and_a_legend(tmp_path):
    large = write(tmp_path / "large", labelled=True, count=5, size=(400, 800), grey=200)
    plain = write(tmp_path / "plain", labelled=False, count=2, size=(100, 200), grey=50)
    mosaic.write(tmp_path / "m.png", [large, plain], CITYSCAPES)
    picture = np.asarray(Image.open(tmp_path / "m.png"))
    tile, gap, line = (160, 320), mosaic.GAP, mosaic.LINE
    top = gap + line
    assert picture.shape[1] == 4 * (tile[1] + gap) + gap
    assert (picture[top + 80, gap + 160] == 200).all()
    assert (picture[top + 80, gap + 3 * (tile[1] + gap) + 160] == 203).all()  # four of five
    labels = top + tile[0] + gap
    assert tuple(picture[labels + 10, gap + 5]) == CITYSCAPES.colours[SKY]
    assert tuple(picture[labels + 150, gap + 5]) == CITYSCAPES.colours[ROAD]
    second = labels + tile[0] + 2 * gap + line
    assert (picture[second + 50, gap + 100] == 50).all() and (picture[second + 50, gap + 310] == 51).all()
    legend = second + 100 + 2 * gap
    assert tuple(picture[legend + 8, gap + 7]) == CITYSCAPES.colours[ROAD]
    assert picture.shape[0] == legend + 2 * line  # nineteen classes and "ignored", ten a line
