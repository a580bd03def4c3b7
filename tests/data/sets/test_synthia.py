import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import synthia


def test_labels_have_sixteen_bits(tmp_path):
    layout_files.image(tmp_path / "RGB/0000000.png")
    layout_files.sixteen_bits(tmp_path / "GT/LABELS/0000000.png", 3, 10, 22, 17)
    files = synthia.find(tmp_path, "train")
    assert label_of(files) == [0, 11, 255, 12]
    assert synthia.find(tmp_path, "test").pairs == []
    assert recognition.recognise(tmp_path) == {"synthia": "RGB/ and GT/LABELS/"}


@pytest.mark.parametrize("inner", ["", "SYNTHIA-SEQS-04-DAWN/"])
def test_sequences_have_other_ids(tmp_path, inner):
    """README.txt of SYNTHIA-SEQS: 12 is lane marking, 15 traffic light, 13 and 14 are reserved."""
    camera = "Stereo_Left/Omni_F"
    for number in (0, 1):
        layout_files.image(tmp_path / f"{inner}RGB/{camera}/00000{number}.png")
    layout_files.sixteen_bits(tmp_path / f"{inner}GT/LABELS/{camera}/000000.png", 3, 11, 12, 15)
    layout_files.sixteen_bits(tmp_path / f"{inner}GT/LABELS/{camera}/000001.png", 3, 13)
    layout_files.colours(tmp_path / f"{inner}GT/COLOR/{camera}/000000.png", (128, 64, 128))
    files = synthia.find(tmp_path, "train")
    sequence = inner.removesuffix("/") or tmp_path.name
    assert [pair.name for pair in files.pairs] == [f"{sequence}/{camera}/000000", f"{sequence}/{camera}/000001"]
    assert label_of(files) == [0, 18, 255, 6] and files.skipped == ()
    with pytest.raises(Unusable, match="outside the map of its data set: 13"):
        label_of(files, 1)
    assert recognition.recognise(tmp_path) == {"synthia": f"{inner}RGB/ and GT/LABELS/"}


def test_the_first_random_images_have_labels_in_colours(tmp_path):
    name = "ap_000_01-11-2015_19-20-57_000062_0_Rand_0"
    layout_files.image(tmp_path / f"RGB/{name}.png")
    layout_files.image(tmp_path / "RGB/ap_001_Rand_1.png")
    layout_files.colours(tmp_path / f"GT/{name}.png", (128, 64, 128), (0, 128, 192), (0, 0, 0), (64, 0, 128))
    layout_files.colours(tmp_path / "GT/ap_001_Rand_1.png", (128, 64, 129))
    (tmp_path / "GTTXT").mkdir()
    (tmp_path / f"GTTXT/{name}.txt").write_text("3 11 0 8")
    files = synthia.find(tmp_path, "train")
    assert label_of(files) == [0, 18, 255, 13]
    with pytest.raises(Unusable, match="holds colours outside the map of its data set: #804081"):
        label_of(files, 1)
    assert recognition.recognise(tmp_path) == {"synthia": "RGB/ and GT/*.png"}


def test_ids_are_those_of_its_readme():
    """README.txt of SYNTHIA-RAND-CITYSCAPES."""
    ids = synthia.LEGEND.ids
    assert list(ids) == list(range(23))
    known = {
        1: "sky",
        3: "road",
        8: "car",
        10: "person",
        15: "traffic light",
        17: "rider",
        19: "bus",
        21: "wall",
    }
    assert {id_: ids[id_] for id_ in known} == known
    assert {id_ for id_, name in ids.items() if name is None} == {0, 13, 14, 22}
    assert {name for name in ids.values() if name} == set(CITYSCAPES.classes)


def test_scores_are_published_on_sixteen_and_thirteen_classes():
    sixteen, thirteen = synthia.SUBSETS[16], synthia.SUBSETS[13]
    assert (len(sixteen), len(thirteen)) == (16, 13)
    assert set(CITYSCAPES.classes) - set(sixteen) == {"terrain", "truck", "train"}
    assert set(sixteen) - set(thirteen) == {"wall", "fence", "pole"}
