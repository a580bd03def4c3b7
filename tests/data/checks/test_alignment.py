import numpy as np
import pytest
from labelled_scenes import CLASSES, scene

from udas_tf.data.checks.alignment import Alignment, agreements, boundaries, edges

SCENES = [scene(seed) for seed in range(12)]


def kinds(pairs, classes=CLASSES):
    return [finding.kind for finding in findings(pairs, classes)]


def findings(pairs, classes=CLASSES):
    alignment = Alignment(classes)
    for image, label in pairs:
        alignment.see(image, label)
    return alignment.findings("the source")


def test_labels_on_their_images_raise_no_warning():
    assert kinds(SCENES) == []


@pytest.mark.parametrize(
    ("down", "right", "where"),
    [
        (0, 6, "6 pixels to the right of"),
        (0, -6, "6 pixels to the left of"),
        (6, 0, "6 pixels below of"),
        (-5, 4, "4 pixels to the right and 5 pixels above of"),
    ],
)
def test_a_shifted_label_is_found_with_its_shift(down, right, where):
    (found,) = findings([(image, np.roll(label, (down, right), (0, 1))) for image, label in SCENES])
    assert found.kind == "label_shifted"
    assert where.removesuffix(" of") in found.text


def test_a_shift_within_the_tolerance_raises_no_warning():
    assert kinds([(image, np.roll(label, 2, 1)) for image, label in SCENES]) == []


def test_a_mirrored_label_is_found():
    (found,) = findings([(image, label[:, ::-1]) for image, label in SCENES])
    assert found.kind == "label_flipped" and found.text.endswith("better mirrored left to right")


def test_a_label_upside_down_is_found_and_so_is_its_sky_at_the_bottom():
    flipped, below = findings([(image, label[::-1]) for image, label in SCENES])
    assert flipped.kind == "label_flipped" and flipped.text.endswith("better upside down")
    assert below.kind == "sky_below" and below.text.startswith("in 12 of 12 labels of the source")


def test_image_and_label_both_upside_down_have_their_sky_at_the_bottom():
    assert kinds([(image[::-1], label[::-1]) for image, label in SCENES]) == ["sky_below"]


def test_names_without_an_above_and_a_below_say_nothing_of_upright():
    assert kinds([(image[::-1], label[::-1]) for image, label in SCENES], ("a", "b", "c", "d")) == []


def test_the_label_of_another_image_is_found():
    labels = [label for _, label in SCENES]
    pairs = [(image, labels[number - 1]) for number, (image, _) in enumerate(SCENES)]
    assert kinds(pairs) == ["label_elsewhere"]


def test_few_small_flat_or_uniform_images_say_nothing():
    wrong = [(image, label[:, ::-1]) for image, label in SCENES]
    assert kinds(wrong[:4]) == []
    assert kinds([(image[:40, :40], label[:40, :40]) for image, label in wrong]) == []
    assert kinds([(np.zeros_like(image), label) for image, label in wrong]) == []
    assert kinds([(image, np.zeros_like(label)) for image, label in wrong]) == []


def test_boundaries_are_left_or_above_of_another_class_and_not_beside_ignored_pixels():
    label = np.array([[0, 0, 1], [0, 0, 255], [2, 2, 2]], np.uint8)
    assert boundaries(label).tolist() == [[False, True], [True, True]]


def test_edges_have_deviation_1_and_an_image_of_one_colour_has_none():
    image, _ = SCENES[0]
    assert edges(image).std() == pytest.approx(1, abs=1e-3)
    assert edges(np.full((64, 64, 3), 9, np.uint8)) is None


def test_an_agreement_is_the_mean_strength_on_the_shifted_boundaries():
    draw = np.random.default_rng(0)
    strength, boundary = draw.normal(size=(70, 80)).astype(np.float32), draw.random((70, 80)) < 0.1
    found = agreements(strength, boundary)
    assert found.shape == (4, 33, 33)
    for down, right in ((0, 0), (3, -7), (-16, 16)):
        for number, flipped in enumerate((boundary, boundary[:, ::-1], boundary[::-1], boundary[::-1, ::-1])):
            by_hand = strength[np.roll(flipped, (down, right), (0, 1))].mean()
            assert found[number, 16 + down, 16 + right] == pytest.approx(by_hand, abs=1e-4)
