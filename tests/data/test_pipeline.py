import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.data import pipeline, records
from udas_tf.data.augment import geometry
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.run_dir import MANIFEST, read_json, write_json

SIZE = (32, 64)
BATCH = 2
ALL = np.zeros(256, np.uint8)  # thresholds that keep every pseudo-label
FIXED = np.full(256, 153, np.uint8)  # those of confidence 0.6
# Red tells the image, blue the set; the labels of each set are its own, and the last is in its first image alone.
SETS = {
    "source": (5, 0, (0, 9)),
    "target": (4, 80, None),
    "labelled": (3, 160, (10, 18)),
    "pseudo": (4, 240, (0, 18)),
}


def make_sample(name, index):
    _, blue, classes = SETS[name]
    rng = np.random.default_rng(100 * blue + index)
    image = np.zeros((*SIZE, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 10 * index, rng.integers(0, 256, SIZE), blue
    label = None if classes is None else rng.integers(classes[0], classes[1] + (index == 0), SIZE, np.uint8)
    confidence = rng.integers(0, 256, SIZE, np.uint8) if name == "pseudo" else None
    return Sample(f"{name}_{index}", image, label, confidence)


@pytest.fixture(autouse=True)
def global_seed():
    """As `stages.fit.stage` sets it, whatever another test has left: with 0, a pipeline could not be built."""
    tf.random.set_seed(1)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sets")
    for name, (count, *_) in SETS.items():
        records.write(
            directory / name,
            "training",
            count,
            lambda indices, name=name: (make_sample(name, i) for i in indices),
            shard_images=2,
            provenance={},
            label=name,
        )
    return {name: directory / name for name in SETS}


def loading(start=0, seed=1, **options):
    return pipeline.Loading(BATCH, seed, start, **({"shuffle_buffer": 100, "cache": True} | options))


PIPELINES = {
    "labelled": lambda load, sets: pipeline.labelled(load, sets["source"], "auto"),
    "unpaired": lambda load, sets: pipeline.unpaired(load, sets["source"], sets["target"], (16, 24)),
    "adaptation": lambda load, sets: pipeline.adaptation(
        load, sets["source"], sets["target"], sets["labelled"], "flip", "auto"
    ),
    "self_training": lambda load, sets: pipeline.self_training(
        load, sets["source"], sets["labelled"], sets["pseudo"], FIXED, "auto", "auto", True
    ),
}


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def assert_same(first, second):
    tf.nest.assert_same_structure(first, second)
    for one, other in zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True):
        np.testing.assert_array_equal(one, other)


def differ(first, second):
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return any(np.any(one != other) for one, other in pairs)


@pytest.mark.parametrize("threshold", [None, 0.8])
@pytest.mark.parametrize("name", PIPELINES)
def test_a_batch_is_the_same_from_the_start_resumed_and_without_cache(sets, name, threshold):
    # 5 batches of 2 pass the end of every set, and of every shuffle, at least once.
    make, options = PIPELINES[name], {"repeat_factor_threshold": threshold}
    from_start = take(make(loading(**options), sets), 5)
    assert_same(from_start[3:], take(make(loading(start=3, cache=False, **options), sets), 2))
    assert all(differ(one, other) for one, other in itertools.pairwise(from_start))


@pytest.mark.parametrize("name", ["unpaired", "adaptation"])
def test_another_seed_gives_other_batches(sets, name):
    make = PIPELINES[name]
    assert differ(take(make(loading(), sets), 2), take(make(loading(seed=2), sets), 2))


def test_a_pipeline_gives_the_same_batches_each_time_it_is_iterated(sets):
    dataset = pipeline.labelled(loading(), sets["source"], "none")
    assert_same(take(dataset, 5), take(dataset, 5))


def originals(batch, name):
    """The samples a batch without colour changes shows, by their red."""
    return [make_sample(name, int(red) // 10) for red in batch["image"][:, 0, 0, 0]]


def test_no_iterator_waits_for_the_autotuner_at_its_end(sets):
    datasets = [make(loading(), sets) for make in PIPELINES.values()]
    datasets.append(pipeline.evaluation(sets["source"], BATCH, ("image",))[0])
    datasets.append(records.read(sets["source"], purpose="training", fields=("image",))[0])
    assert [dataset.options().autotune.enabled for dataset in datasets] == [False] * len(datasets)


def test_each_pass_over_a_set_shows_every_image_once(sets):
    load = dataclasses.replace(loading(), batch_size=5)
    passes = take(pipeline.labelled(load, sets["source"], "none"), 3)
    orders = [(batch["image"][:, 0, 0, 0] // 10).astype(int).tolist() for batch in passes]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 1, "each pass has an order of its own"


def test_images_of_rare_classes_come_more_often(sets):
    """Label 9 is in one of five source images, the others are in all: its factor is sqrt(0.8 / 0.2) = 2."""
    load = dataclasses.replace(loading(), batch_size=6, repeat_factor_threshold=0.8)
    passes = take(pipeline.labelled(load, sets["source"], "none"), 4)
    orders = [(batch["image"][:, 0, 0, 0] // 10).astype(int).tolist() for batch in passes]
    assert all(sorted(order) == [0, 0, 1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 1, "each pass has an order of its own"
    for batch in passes:
        for sample, label in zip(originals(batch, "source"), batch["label"], strict=True):
            np.testing.assert_array_equal(label, sample.label)


def test_labelled_images_alone_are_repeated(sets):
    """Source and labelled target; the target has no labels, and pseudo-labels are balanced by other means."""
    load = loading(repeat_factor_threshold=0.8)
    adapted = take(pipeline.adaptation(load, sets["source"], sets["target"], sets["labelled"], "none", "none"), 60)
    # Of 120 images mixed in, sqrt(0.8 / (1 / 3)) in 1.55 + 2 are the first, against 1 in 3.
    mixed = [image[image[..., 2] == SETS["labelled"][1]] for batch in adapted for image in batch["source"]["image"]]
    shown = [int(pixels[0, 0]) // 10 for pixels in mixed if len(pixels)]
    assert 0.38 < shown.count(0) / len(shown) < 0.50
    assert_each_once([batch["target"] for batch in adapted[:2]])
    student = pipeline.self_training(load, sets["source"], sets["labelled"], sets["pseudo"], ALL, "none", "none", False)
    assert_each_once([batch["pseudo"] for batch in take(student, 2)])


def assert_each_once(batches):
    assert sorted(int(red) // 10 for batch in batches for red in batch["image"][:, 0, 0, 0]) == [0, 1, 2, 3]


def test_a_set_of_an_older_version_is_read_but_not_repeated(sets, tmp_path):
    """Its manifest lacks the classes of each image."""
    records.link(tmp_path, sets["source"], "training", {})
    manifest = read_json(tmp_path / MANIFEST)
    del manifest["labelled_classes"]
    write_json(tmp_path / MANIFEST, manifest)
    assert_same(
        take(pipeline.labelled(loading(), tmp_path, "none"), 2),
        take(pipeline.labelled(loading(), sets["source"], "none"), 2),
    )
    with pytest.raises(UserError, match="without the classes of each image.*make it again") as raised:
        pipeline.labelled(loading(repeat_factor_threshold=0.1), tmp_path, "none")
    assert str(tmp_path) in str(raised.value)


def test_without_augmentation_records_come_as_they_are(sets):
    for batch in take(pipeline.labelled(loading(), sets["source"], "none"), 3):
        assert batch["image"].dtype == np.uint8 and batch["label"].dtype == np.uint8
        for sample, image, label in zip(originals(batch, "source"), batch["image"], batch["label"], strict=True):
            np.testing.assert_array_equal(image, sample.image)
            np.testing.assert_array_equal(label, sample.label)


def test_flips_mirror_image_and_label_together_and_ignore_nothing(sets):
    mirrored = 0
    for batch in take(pipeline.labelled(loading(), sets["source"], "flip"), 8):
        for sample, image, label in zip(originals(batch, "source"), batch["image"], batch["label"], strict=True):
            flipped = np.any(label != sample.label)
            mirrored += flipped
            np.testing.assert_array_equal(label, sample.label[:, ::-1] if flipped else sample.label)
            np.testing.assert_array_equal(image, sample.image[:, ::-1] if flipped else sample.image)
    assert 0 < mirrored < 16


def assert_images(images, size=SIZE):
    assert images.dtype == np.uint8 and images.shape == (BATCH, *size, 3)
    assert images.min() >= 0.0 and images.max() <= 255.0


def assert_labels(labels, classes):
    assert labels.dtype == np.uint8 and labels.shape == (BATCH, *SIZE)
    assert set(np.unique(labels)) <= {*classes, 255}


def test_unpaired_crops(sets):
    dataset = PIPELINES["unpaired"](loading(), sets)
    assert dataset.element_spec["source"].shape == (BATCH, 16, 24, 3)
    for batch in take(dataset, 3):
        assert set(batch) == {"source", "target"}
        for name in ("source", "target"):
            assert_images(batch[name], (16, 24))
            assert np.all(batch[name][..., 2] == SETS[name][1])
            for crop in batch[name]:
                green = make_sample(name, int(crop[0, 0, 0]) // 10).image[..., 1]
                windows = np.concatenate(
                    [np.lib.stride_tricks.sliding_window_view(side, (16, 24)) for side in (green, green[:, ::-1])]
                )
                assert (windows == crop[..., 1]).all((-1, -2)).any(), "the crop is no window of its image"


def test_unpaired_whole_images(sets):
    (batch,) = take(pipeline.unpaired(loading(), sets["source"], sets["target"], None), 1)
    for name in ("source", "target"):
        assert_images(batch[name])


def test_adaptation_without_labelled_target(sets):
    for batch in take(pipeline.adaptation(loading(), sets["source"], sets["target"], None, "none", "auto"), 2):
        assert set(batch) == {"source", "target"}
        assert set(batch["source"]) == {"image", "label"} and set(batch["target"]) == {"image"}
        assert_images(batch["target"]["image"])
        assert np.all(batch["target"]["image"][..., 2] == SETS["target"][1])
        samples = originals(batch["source"], "source")
        np.testing.assert_array_equal(batch["source"]["image"], [sample.image for sample in samples])
        np.testing.assert_array_equal(batch["source"]["label"], [sample.label for sample in samples])


def test_cutmix_shows_labelled_target_within_one_box_only(sets):
    dataset = pipeline.adaptation(loading(), sets["source"], sets["target"], sets["labelled"], "none", "none")
    shares = []
    for batch in take(dataset, 8):
        image, label = batch["source"]["image"], batch["source"]["label"]
        mixed = image[..., 2] == SETS["labelled"][1]
        shares.append(mixed.mean())
        np.testing.assert_array_equal(image[..., 2], np.where(mixed, SETS["labelled"][1], SETS["source"][1]))
        np.testing.assert_array_equal(mixed[0], mixed[1], err_msg="one box a batch")
        rows, columns = mixed[0].any(1), mixed[0].any(0)
        np.testing.assert_array_equal(mixed[0], rows[:, np.newaxis] & columns)
        assert np.count_nonzero(np.diff(rows.astype(int))) <= 2 and np.count_nonzero(np.diff(columns.astype(int))) <= 2
        for number in range(BATCH):
            for name, place in (("labelled", mixed[number]), ("source", ~mixed[number])):
                if place.any():
                    sample = make_sample(name, int(image[number][place][0, 0]) // 10)
                    np.testing.assert_array_equal(image[number][place], sample.image[place])
                    np.testing.assert_array_equal(label[number][place], sample.label[place])
        assert np.all(batch["target"]["image"][..., 2] == SETS["target"][1])
    assert np.std(shares) > 0.01


def test_mixed_and_augmented_batches_keep_types_shapes_and_ranges(sets):
    for batch in take(PIPELINES["adaptation"](loading(), sets), 3):
        assert_images(batch["source"]["image"])
        assert_labels(batch["source"]["label"], range(19))
        assert_images(batch["target"]["image"])


def test_a_students_batches(sets):
    moved = 0
    for batch in take(PIPELINES["self_training"](loading(), sets), 6):
        labelled, pseudo = batch["labelled"], batch["pseudo"]
        assert set(batch) == {"labelled", "pseudo"}
        assert set(labelled) == {"image", "label", "clean", "transform"} and set(pseudo) == {"image", "label"}
        for images in (labelled["image"], labelled["clean"], pseudo["image"]):
            assert_images(images)
        assert_labels(labelled["label"], range(19))
        assert_labels(pseudo["label"], range(19))
        assert labelled["transform"].shape == (BATCH, 2, 3) and labelled["transform"].dtype == np.float32
        # "clean" is before AutoAugment: whole images of the two sets.
        assert set(np.unique(labelled["clean"][..., 2])) <= {SETS["source"][1], SETS["labelled"][1]}
        # No stored label is ignored, so 255 stands exactly where the transform looks outside the clean image.
        inside = geometry.warp(tf.ones([BATCH, *SIZE]), tf.constant(labelled["transform"])).numpy() > 0
        np.testing.assert_array_equal(labelled["label"] != 255, inside)
        moved += np.count_nonzero(~inside)
    assert moved > 0


def test_clean_images_are_where_the_labels_come_from(sets):
    """Without AutoAugment a student's labelled image is its clean one: of source alone without labels."""
    for labelled in (None, sets["labelled"]):
        dataset = pipeline.self_training(
            loading(), sets["source"], labelled, sets["pseudo"], FIXED, "none", "none", False
        )
        (batch,) = take(dataset, 1)
        np.testing.assert_array_equal(batch["labelled"]["image"], batch["labelled"]["clean"])
        np.testing.assert_array_equal(batch["labelled"]["transform"], geometry.identity(BATCH))
        assert batch["labelled"]["label"].max() < 19
        if labelled is None:
            samples = originals(batch["labelled"], "source")
            np.testing.assert_array_equal(batch["labelled"]["label"], [sample.label for sample in samples])


@pytest.mark.parametrize("least", [0, 153, 230])
def test_pseudo_labels_below_the_threshold_are_ignored(sets, least):
    dataset = pipeline.self_training(
        loading(), sets["source"], None, sets["pseudo"], np.full(256, least, np.uint8), "none", "none", False
    )
    (batch,) = take(dataset, 1)
    samples = originals(batch["pseudo"], "pseudo")
    expected = [np.where(sample.confidence >= least, sample.label, 255) for sample in samples]
    np.testing.assert_array_equal(batch["pseudo"]["label"], expected)
    np.testing.assert_array_equal(batch["pseudo"]["image"], [sample.image for sample in samples])


def test_boxes_of_labelled_images_are_put_into_pseudo_labelled_ones(sets):
    """Source images differ from the target's in blue (see SETS), so a pixel shows where it comes from."""
    boxes = 0
    dataset = pipeline.self_training(loading(), sets["source"], None, sets["pseudo"], ALL, "none", "none", True)
    for batch in take(dataset, 8):
        images, labels = batch["pseudo"]["image"], batch["pseudo"]["label"]
        inside = images[..., 2] == SETS["source"][1]
        assert len(np.unique(inside.reshape(BATCH, -1), axis=0)) == 1  # one box a batch
        np.testing.assert_array_equal(images[inside], batch["labelled"]["clean"][inside])
        np.testing.assert_array_equal(labels[inside], batch["labelled"]["label"][inside])
        assert set(np.unique(images[~inside][:, 2])) <= {SETS["pseudo"][1]}
        boxes += inside.any()
    assert boxes > 4


@pytest.mark.parametrize("role", ["hidden", "validation"])
def test_training_pipelines_do_not_open_guarded_sets(sets, tmp_path, role):
    records.write(
        tmp_path,
        role,
        2,
        lambda indices: (make_sample("pseudo", i) for i in indices),
        shard_images=2,
        provenance={},
        label="guarded",
    )
    for make in (
        lambda: pipeline.labelled(loading(), tmp_path, "none"),
        lambda: pipeline.unpaired(loading(), sets["source"], tmp_path, None),
        lambda: pipeline.adaptation(loading(), sets["source"], sets["target"], tmp_path, "none", "none"),
        lambda: pipeline.adaptation(loading(), sets["source"], tmp_path, None, "none", "none"),
        lambda: pipeline.self_training(loading(), sets["source"], tmp_path, sets["pseudo"], ALL, "none", "none", False),
        lambda: pipeline.self_training(loading(), sets["source"], None, tmp_path, ALL, "none", "none", False),
    ):
        with pytest.raises(UserError, match=f"{role} records"):
            make()
    batches, _ = pipeline.evaluation(tmp_path, 2, ("image", "label"))
    assert len(list(batches)) == 1


def test_evaluation_reads_every_image_in_order(sets):
    batches, manifest = pipeline.evaluation(sets["source"], 2, ("image", "label", "id"))
    found = list(batches.as_numpy_iterator())
    assert manifest.count == 5
    assert [len(batch["image"]) for batch in found] == [2, 2, 1]
    assert [id_.decode() for batch in found for id_ in batch["id"]] == [f"source_{index}" for index in range(5)]
    assert found[0]["image"].dtype == np.uint8
    np.testing.assert_array_equal(found[2]["image"][0], make_sample("source", 4).image)


def checkered(**options):
    """A batch whose images repeat their labels, in levels of 200: label and image must keep agreeing."""
    labels = np.zeros((8, *SIZE), np.uint8)
    labels[:, :, SIZE[1] // 2 :] = 1
    images = np.repeat(200 * labels[..., np.newaxis], 3, axis=-1)
    batch = {"image": tf.constant(images), "label": tf.constant(labels)}
    return loading(**options).augment_pair(batch, "none", tf.constant([3, 4]))


def test_random_scale_enlarges_image_and_label_together():
    pair = checkered(scale_range=(2.0, 4.0))
    images, labels = pair["image"].numpy()[..., 0], pair["label"].numpy()
    pure = (images == 0) | (images == 200)  # elsewhere two neighbours are mixed
    np.testing.assert_array_equal(images[pure], 200.0 * labels[pure])
    assert pure.mean() > 0.9
    assert len({label.sum() for label in labels}) > 1, "every image shows the same window"


def test_a_share_of_the_images_goes_through_autoaugment():
    original = checkered(scale_range=None)["image"].numpy()
    batch = {"image": tf.cast(original, tf.uint8), "label": tf.zeros((8, *SIZE), tf.uint8)}
    untouched = 0
    for step in range(4):
        images = (
            loading(autoaugment_probability=0.5).augment_pair(batch, "auto", tf.constant([0, step]))["image"].numpy()
        )
        same = (images == original) | (images == original[:, :, ::-1])
        untouched += same.all(axis=(1, 2, 3)).sum()
    # Half of 32 are left as they are, but for a flip, and some more where AutoAugment chose to do nothing.
    assert 8 <= untouched <= 31
