"""Virtual KITTI 2.0.3 as its archives are laid out."""

import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import virtual_kitti2

FRAMES = "Scene01/15-deg-left/frames"


def test_labels_have_the_colours_of_colors_txt(tmp_path):
    for camera in (0, 1):
        layout_files.image(tmp_path / FRAMES / f"rgb/Camera_{camera}/rgb_00000.jpg")
    label = tmp_path / FRAMES / "classSegmentation/Camera_0/classgt_00000.png"
    layout_files.colours(label, (100, 60, 100), (0, 139, 139), (0, 199, 0), (80, 80, 80))
    layout_files.image(tmp_path / FRAMES / "depth/Camera_0/depth_00000.png")
    files = virtual_kitti2.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("Scene01/15-deg-left/Camera_0/00000", True),
        ("Scene01/15-deg-left/Camera_1/00000", False),
    ]
    assert label_of(files) == [0, 13, 8, 255]
    assert files.skipped == () and virtual_kitti2.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["virtual_kitti2"]


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_other_colours_and_damaged_files_are_refused(tmp_path, content):
    layout_files.image(tmp_path / FRAMES / "rgb/Camera_0/rgb_00000.jpg")
    label = tmp_path / FRAMES / "classSegmentation/Camera_0/classgt_00000.png"
    layout_files.colours(label, (100, 60, 100), (1, 2, 3))
    if content:
        label.write_bytes(content)
    reason = "cannot be read" if content else "holds colours outside the map of its data set: #010203"
    with pytest.raises(Unusable, match=reason):
        label_of(virtual_kitti2.find(tmp_path, "train"))
