"""What BlenderProc 2.8 and 1.x write: COCO annotations and HDF5 files."""

import itertools
import json

import h5py
import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import blenderproc
from udas_tf.errors import UserError

CATEGORIES = [
    {"id": 2, "supercategory": "coco_annotations", "name": "road"},
    {"id": 1, "supercategory": "coco_annotations", "name": "car"},
]
# Pixels of category 2 above, of 1 in the middle, of none below.
SCENE = np.array([[2] * WIDTH] * 3 + [[0] * 2 + [1] * (WIDTH - 2)] * 2 + [[0] * WIDTH] * (HEIGHT - 5), np.uint8)
# ... as train ids of the classes in the order of their ids: car, road.
CAR_ROAD = np.array([255, 0, 1], np.uint8)[SCENE]


def run_lengths(mask):
    """As BlenderProc's `binary_mask_to_rle`: columns, and first how many pixels are outside."""
    runs = [(value, len(list(pixels))) for value, pixels in itertools.groupby(mask.ravel(order="F").tolist())]
    return {"counts": ([0] if runs[0][0] else []) + [length for _, length in runs], "size": list(mask.shape)}


def annotation(number, image, category, segmentation):
    return {"id": number, "image_id": image, "category_id": category, "iscrowd": 0, "segmentation": segmentation}


def coco(folder, scenes, categories=CATEGORIES, ending="png"):
    """coco_annotations.json and images/NNNNNN.png."""
    images, annotations = [], []
    for number, segmentations in enumerate(scenes):
        name = f"images/{number:06d}.{ending}"
        layout_files.image(folder / name, number)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT, "license": 1})
        for category, segmentation in segmentations:
            annotations.append(annotation(len(annotations) + 1, number, category, segmentation))
    content = {"info": {}, "licenses": [], "categories": categories, "images": images, "annotations": annotations}
    (folder / "coco_annotations.json").write_text(json.dumps(content))


def hdf5(path, **content):
    """N.hdf5: images as arrays, attributes as the text of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("blender_proc_version", data=np.array(np.bytes_("2.8.0")))
        for key, value in content.items():
            if isinstance(value, list):
                file.create_dataset(key, data=np.array(np.bytes_(json.dumps(value))))
            else:
                file.create_dataset(key, data=value, compression="gzip")


def colours(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def decoded(files, index=0, classes=None):
    return files.labels.reader(classes or files.labels.classes)(files.pairs[index])


def test_run_lengths_and_polygons_of_coco_annotations(tmp_path):
    # `binary_mask_to_polygon` traces between the centres of pixels, which are whole numbers, and cuts off at 0.
    above = [[0, 0, 15.5, 0, 15.5, 2.5, 0, 2.5]]
    middle = [[1.5, 2.5, 15.5, 2.5, 15.5, 4.5, 1.5, 4.5]]
    coco(
        tmp_path / "coco_data",
        [
            [(2, run_lengths(SCENE == 2)), (1, run_lengths(SCENE == 1))],
            [(1, middle), (2, above)],
            [],
        ],
    )
    own = blenderproc.own_classes(tmp_path)
    assert own.classes == ("car", "road")
    files = blenderproc.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("000000", True),
        ("000001", True),
        ("000002", True),
    ]
    assert files.skipped == files.warnings == () and files.labels.classes == own
    assert (decoded(files, 0) == CAR_ROAD).all()
    assert (decoded(files, 1) == CAR_ROAD).all()
    assert (decoded(files, 2) == 255).all()  # nothing in sight
    in_cityscapes = np.array([255, 13, 0], np.uint8)[SCENE]
    assert (decoded(files, 0, layout_files.CITYSCAPES) == in_cityscapes).all()
    assert blenderproc.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["blenderproc"]


def test_splits_are_folders_and_runs_lie_in_folders(tmp_path):
    for folder in ("train/run_a/coco_data", "train/run_b", "val"):
        coco(tmp_path / folder, [[(2, run_lengths(SCENE == 2))]], ending="jpg")
    assert [pair.name for pair in blenderproc.find(tmp_path, "train").pairs] == ["run_a/000000", "run_b/000000"]
    assert [pair.name for pair in blenderproc.find(tmp_path, "val").pairs] == ["000000"]
    assert blenderproc.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["blenderproc"]


def test_what_is_wrong_in_coco_annotations_is_named(tmp_path):
    coco(tmp_path, [[(7, run_lengths(SCENE == 2))], [(1, {"counts": [5], "size": [HEIGHT, WIDTH]})], [(1, [[1, 2]])]])
    layout_files.image(tmp_path / "images/000009.png")
    files = blenderproc.find(tmp_path, "train")
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (str(tmp_path / "images/000009.png"), "is named by no image of coco_annotations.json")
    ]
    for index, reason in enumerate(
        [
            "ids outside the map of its data set: 7",
            "of 000001.png: run lengths do not add up to 8 x 16 pixels",
            "of 000002.png: a polygon has 2 coordinates; expected x, y of three points or more",
        ]
    ):
        with pytest.raises(Unusable, match=reason):
            decoded(files, index)
    (tmp_path / "coco_annotations.json").write_text('{"images": [')
    files = blenderproc.find(tmp_path, "train")
    assert not files.pairs and files.skipped[0].reason.startswith("cannot be read: ")


ROWS = [
    {"idx": 0, "category_id": 0, "name": "World"},
    {"idx": 1, "category_id": 2, "name": "road"},
    {"idx": 2, "category_id": 1, "name": "car.001"},
    {"idx": 3, "category_id": 1, "name": "car"},
]


@pytest.mark.parametrize(
    "maps",
    [
        {"class_segmaps": SCENE, "instance_segmaps": SCENE, "instance_attribute_maps": ROWS},
        {"category_id_segmaps": SCENE.astype(np.uint16), "instance_attribute_maps": ROWS},
        # Instance 1 is the road, and 2 and 3 are cars.
        {
            "instance_segmaps": np.array([0, 2, 1], np.uint8)[SCENE] + ((SCENE == 1) & (np.arange(WIDTH) > 9)),
            "instance_attribute_maps": ROWS,
        },
        # Up to 1.x: all maps in one array, whose channels a table names, with numbers as text.
        {
            "segmap": np.dstack([np.full_like(SCENE, 9), SCENE]),
            "segcolormap": [
                {key: str(value) for key, value in row.items()} | {"channel_instance": "0", "channel_class": "1"}
                for row in ROWS
            ],
        },
    ],
)
def test_categories_of_hdf5_files_are_called_as_their_objects(tmp_path, maps):
    for number in (0, 2, 10):
        hdf5(tmp_path / f"{number}.hdf5", colors=colours(number), **maps)
    own = blenderproc.own_classes(tmp_path)
    assert own.classes == ("car", "road")
    files = blenderproc.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("0", True), ("2", True), ("10", True)]
    assert (decoded(files) == CAR_ROAD).all()
    image, original = files.read_image(files.pairs[2], (HEIGHT, WIDTH))
    assert (image == colours(10)).all() and original == (HEIGHT, WIDTH)
    smaller, original = files.read_image(files.pairs[2], (4, 8))
    expected = Image.fromarray(colours(10)).resize((8, 4), Image.Resampling.BILINEAR)
    assert (smaller == np.asarray(expected)).all() and original == (HEIGHT, WIDTH)
    assert list(recognition.recognise(tmp_path)) == ["blenderproc"]


def test_categories_of_several_names_are_called_by_their_number(tmp_path):
    rows = [*ROWS, {"idx": 4, "category_id": 1, "name": "van"}]
    hdf5(tmp_path / "0.hdf5", colors=colours(), class_segmaps=SCENE, instance_attribute_maps=rows)
    assert blenderproc.own_classes(tmp_path).classes == ("1", "road")
    assert (decoded(blenderproc.find(tmp_path, "train")) == CAR_ROAD).all()


def test_a_classes_yaml_says_what_categories_are(tmp_path):
    hdf5(tmp_path / "0.hdf5", colors=colours(), class_segmaps=SCENE)
    for what in (lambda: blenderproc.find(tmp_path, "train"), lambda: blenderproc.own_classes(tmp_path)):
        with pytest.raises(UserError, match=r"write a classes\.yaml there whose `ids` are category ids"):
            what()
    listed = "classes: [{name: road, colour: [1, 2, 3]}, {name: car, colour: [4, 5, 6]}]\n"
    (tmp_path / "classes.yaml").write_text(listed + "ids: {1: car, 2: road}\n")
    assert blenderproc.own_classes(tmp_path).classes == ("road", "car")
    in_its_order = np.array([255, 1, 0], np.uint8)[SCENE]
    assert (decoded(blenderproc.find(tmp_path, "train")) == in_its_order).all()
    (tmp_path / "0.hdf5").unlink()
    (tmp_path / "classes.yaml").write_text(listed)
    coco(tmp_path, [[(2, run_lengths(SCENE == 2)), (1, run_lengths(SCENE == 1))]])
    assert (decoded(blenderproc.find(tmp_path, "train")) == in_its_order).all()


def test_hdf5_files_that_cannot_be_used_are_refused_with_the_reason(tmp_path):
    maps = {"class_segmaps": SCENE, "instance_attribute_maps": ROWS}
    hdf5(tmp_path / "0.hdf5", colors=colours(), **maps)
    hdf5(tmp_path / "1.hdf5", colors=np.stack([colours(), colours()]), class_segmaps=np.stack([SCENE, SCENE]))
    hdf5(tmp_path / "2.hdf5", colors_0=colours(), colors_1=colours(), depth=np.zeros((HEIGHT, WIDTH), np.float32))
    hdf5(tmp_path / "3.hdf5", colors=colours(), class_segmaps=np.full_like(SCENE, 5))
    (tmp_path / "4.hdf5").write_bytes((tmp_path / "0.hdf5").read_bytes()[:600])
    files = blenderproc.find(tmp_path, "train")
    for index, reason in ((1, "expected uint8"), (2, "holds a stereo pair"), (4, "cannot be read")):
        with pytest.raises(Unusable, match=reason):
            files.read_image(files.pairs[index], (HEIGHT, WIDTH))
    for index, reason in (
        (1, "no stereo pair"),
        (2, "holds none of class_segmaps, category_id_segmaps"),
        (3, "ids outside the map of its data set: 5"),
        (4, "cannot be read"),
    ):
        with pytest.raises(Unusable, match=reason):
            decoded(files, index)


def test_hdf5_files_without_categories_are_unlabelled(tmp_path):
    hdf5(tmp_path / "0.hdf5", colors=colours())
    files = blenderproc.find(tmp_path, "train")
    assert [pair.labelled for pair in files.pairs] == [False] and blenderproc.own_classes(tmp_path) is None


def test_hdf5_files_beside_coco_annotations_are_not_read(tmp_path):
    coco(tmp_path / "coco_data", [[(2, run_lengths(SCENE == 2))]])
    hdf5(tmp_path / "0.hdf5", colors=colours(), class_segmaps=SCENE)
    files = blenderproc.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == ["000000"]
    assert files.warnings == (f"{tmp_path}: 1 HDF5 files are not read, as coco_annotations.json lies beside them",)
