import ast
import dataclasses
import inspect
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.config import base_config, flatten
from udas_tf.data import streets
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.gap import findings
from udas_tf.data.gap.distances import compare
from udas_tf.data.gap.findings import warnings
from udas_tf.data.gap.statistics import Collector, Spread

CLASSES = ("road", "sky", "bus", "bicycle")


def bands(*rows, width=16):
    """A label of one class a row."""
    return np.repeat(np.array(rows, np.uint8)[:, np.newaxis], width, axis=1)


def seen(labels, look=None, count=8, **known):
    """A domain of these labels (None = images alone); `look` replaces statistics of its appearance."""
    collector = Collector(CLASSES)
    size = (8, 16) if labels is None else labels[0].shape
    for number in range(count if labels is None else len(labels)):
        collector.see_image(np.full((*size, 3), 100 + number, np.uint8))
    for label in labels or ():
        collector.see_label(label)
    domain = collector.domain(size, **known)
    look = {name: Spread(*values) for name, values in (look or {}).items()}
    return dataclasses.replace(domain, appearance=domain.appearance | look)


def found(source, target):
    """Kind of each warning -> its text."""
    warned = warnings(source, target, compare(source, target))
    assert all(finding.remedy and not finding.text.endswith(".") for finding in warned)
    return {finding.kind: finding.text for finding in warned}


STREET = [bands(1, 1, 1, 0, 0, 0, 0, 0)] * 8


def test_a_domain_lies_nowhere_from_itself():
    domain = seen(STREET)
    gap = compare(domain, domain)
    assert (gap.shares, gap.layout, gap.colour, gap.stretch) == (0, 0, 0, 1)
    assert all(look.difference == 0 for look in gap.appearance.values())
    assert gap.classes["road"].moved == 0 and gap.classes["bus"] is None
    assert warnings(domain, domain, gap) == []


def test_distances_worked_out_by_hand():
    source = seen([bands(0, 0, 0, 0, 1, 1, 1, 1)] * 6)
    target = seen([bands(1, 1, 0, 0, 0, 0, 0, 0)] * 6)
    gap = compare(source, target)
    assert gap.shares == pytest.approx(0.25)  # road 4/8 -> 6/8
    assert gap.classes["sky"].row == pytest.approx(-5 / 8)  # its middle goes from 6/8 to 1/8
    assert gap.classes["sky"].moved == pytest.approx(5 / 8)
    assert gap.classes["road"].row == pytest.approx(3 / 8)
    assert gap.classes["road"].column == gap.classes["road"].column_error == 0
    # Weights of road and sky: 4/8 + 6/8 and 4/8 + 2/8.
    assert gap.layout == pytest.approx((1.25 * 3 / 8 + 0.75 * 5 / 8) / 2)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_distances_do_not_depend_on_the_direction(seed):
    rng = np.random.default_rng(seed)
    here, there = (seen(list(rng.integers(0, 4, (3, 8, 16), dtype=np.uint8))) for _ in range(2))
    gap, back = compare(here, there), compare(there, here)
    assert gap.shares == pytest.approx(back.shares) and 0 <= gap.shares <= 1
    assert gap.layout == pytest.approx(back.layout)
    for name in CLASSES:
        if gap.classes[name]:
            one, other = gap.classes[name], back.classes[name]
            assert one.moved == pytest.approx(other.moved) and one.row == pytest.approx(-other.row)
            assert one.moved >= abs(one.row) - 1 / 8 - 1e-9  # the grid knows rows to an eighth


def test_what_chance_gives_is_what_samples_of_one_domain_show():
    rng = np.random.default_rng(0)

    def sample():
        shares = rng.dirichlet((4, 3, 1, 0.5), 20)
        return seen([rng.choice(4, (8, 16), p=share).astype(np.uint8) for share in shares])

    gaps = [compare(sample(), sample()) for _ in range(80)]
    for kind in ("shares", "layout"):
        by_chance = np.mean([getattr(gap, f"{kind}_by_chance") for gap in gaps])
        assert np.mean([getattr(gap, kind) for gap in gaps]) == pytest.approx(by_chance, rel=0.2)


def test_classes_missing_in_one_domain():
    with_bus, with_bicycle = bands(1, 1, 2, 0, 0, 0, 0, 0), bands(1, 1, 3, 0, 0, 0, 0, 0)
    told = found(seen([with_bus] * 6), seen([with_bicycle] * 6))
    assert told["absent_in_source"].startswith(
        "bicycle 12.5 % of the target's labelled pixels, absent from the source: no translation will teach it"
    )
    assert told["absent_in_target"].startswith("bus 12.5 % of the source's labelled pixels, on no labelled target")
    assert "rare_in_source" not in told


def test_one_image_of_many_may_hold_the_class():
    """A class outside the images looked at is not missing."""
    pixels = np.zeros(256, np.int64)
    pixels[:3] = 600, 390, 10
    assert "absent_in_source" not in found(seen(STREET, class_pixels=pixels), seen(STREET, class_pixels=pixels))


def test_a_class_that_few_labelled_target_images_show():
    shown = bands(1, 1, 3, 0, 0, 0, 0, 0)
    told = found(seen([shown] * 20), seen([shown] * 3 + STREET))
    assert told["few_target_images"] == "few of the 11 labelled target images looked at show them: bicycle 3"
    assert "few_target_images" not in found(seen([shown] * 20), seen([shown] * 5 + STREET))


def test_a_class_that_the_source_shows_too_rarely():
    rare = [bands(1, 1, 2, *[0] * 37)] * 8
    often = [bands(1, 1, 2, 2, 2, 2, *[0] * 34)] * 8
    assert found(seen(rare), seen(often))["rare_in_source"].endswith("target: bus 4.0 times")
    assert "rare_in_source" not in found(seen(often), seen(rare))
    one_bus = [bands(1, 1, *[2] * 32, *[0] * 6), *[bands(1, 1, *[0] * 38)] * 7]
    assert "rare_in_source" not in found(seen(rare), seen(one_bus))  # too much hangs on one image


def test_shares_that_a_discriminator_would_have_to_break():
    target = [bands(1, 1, 1, 1, 0, 0, 0, 0)] * 8
    told = found(seen(STREET), seen(target))["shares"]
    assert told.startswith("class shares: 12.5 % of the pixels") and "road -12.5, sky +12.5" in told
    unsure = [bands(*[1] * n, *[0] * (8 - n)) for n in (1, 7, 1, 7, 4, 4, 4, 4)]
    assert "shares" not in found(seen(STREET), seen(unsure))


def test_places_that_differ():
    raised = [bands(1, 1, 1, 1, 0, 0, 0, 0)] * 6
    lowered = [bands(0, 0, 0, 0, 1, 1, 1, 1)] * 6
    told = found(seen(raised), seen(lowered))["places"]
    assert "against the source's: road 50 % of the height higher, sky 50 % of the height lower" in told
    sideways = [label.T.copy() for label in raised], [label.T.copy() for label in lowered]
    assert "road 50 % of the width further left" in found(*map(seen, sideways))["places"]
    scattered = [bands(*np.roll([1, 1, 0, 0, 0, 0, 0, 0], shift)) for shift in (0, 6, 1, 5, 0, 6)]
    assert "places" not in found(seen([bands(1, 1, 0, 0, 0, 0, 0, 0)] * 4), seen(scattered))


@pytest.mark.parametrize(
    ("kind", "here", "there", "told"),
    [
        ({"blue_yellow": "colour"}, (0, 3), (12.8, 3), "colour lies 13 from the source's: yellower by 13 b*"),
        ({"lightness": "colour"}, (60, 3), (50, 3), "darker by 10 L*"),
        ({"contrast": "contrast"}, (18, 1), (26, 2), "the target has 1.4 times the contrast of the source"),
        (
            {"saturation": "saturation"},
            (27, 3),
            (8, 1),
            "the source's colours vary 3.4 times as much as the target's",
        ),
        (
            {"sharpness": "sharpness"},
            (1.2, 0.1),
            (0.6, 0.1),
            "the source is 2.0 times sharper than the target",
        ),
        (
            {"noise": "noise"},
            (0.0, 0.0),
            (0.5, 0.1),
            "noise of 0.00 L* in the source and 0.50 L* in the target",
        ),
    ],
)
def test_appearance_has_to_differ_much_and_surely(kind, here, there, told):
    ((name, kind),) = kind.items()
    assert told in found(seen(None, {name: here}), seen(None, {name: there}))[kind]
    wide = 2 * abs(here[0] - there[0])
    assert kind not in found(seen(None, {name: (here[0], wide)}), seen(None, {name: (there[0], wide)}))
    little = here[0] + 0.04 * (there[0] - here[0])
    assert kind not in found(seen(None, {name: here}), seen(None, {name: (little, here[1])}))
    two = (
        seen(None, {name: here}, count=2),
        seen(None, {name: (there[0], abs(here[0] - there[0]) / 1.5)}, count=2),
    )
    assert kind not in found(*two)  # two images each are no evidence


def test_the_remedy_of_noise_depends_on_who_has_it():
    clean, noisy = seen(None, {"noise": (0.05, 0.03)}), seen(None, {"noise": (2.2, 0.3)})
    for pair, remedy in (((clean, noisy), "the camera's noise"), ((noisy, clean), "translate.weight_cycle")):
        (finding,) = (f for f in warnings(*pair, compare(*pair)) if f.kind == "noise")
        assert remedy in finding.remedy


def test_sizes_before_records_were_made():
    cityscapes = seen(None, original_sizes=[(1024, 2048)] * 3)
    gta5 = seen(None, original_sizes=[(1052, 1914)] * 3)
    assert compare(gta5, cityscapes).stretch == pytest.approx((1914 / 1052) / 2)
    told = found(gta5, cityscapes)
    assert told == {
        "no_target_labels": told["no_target_labels"],
        "stretch": told["stretch"],
    }
    assert told["stretch"].startswith("making records left the target's objects 9.0 % narrower for their height")
    told = found(cityscapes, seen(None, original_sizes=[(1024, 2048)] * 7 + [(1024, 15)]))
    assert told["enlarged"].startswith("1 of the target's 8 images were enlarged to the records' 8x16 pixels")
    other = dataclasses.replace(seen(None), size=(16, 32))
    assert "8x16 pixels, the target's 16x32" in found(seen(None), other)["record_sizes"]


def test_labels_with_many_holes():
    holes = [bands(1, 255, 255, 255, 255, 0, 0, 0)] * 6
    assert found(seen(STREET), seen(holes))["ignored"].startswith("50.0 % of the pixels in the target's labelled")


def test_without_target_labels_its_classes_are_unknown_not_missing():
    source, target = seen(STREET), seen(None)
    gap = compare(source, target)
    assert gap.shares is gap.classes is gap.layout is None
    told = found(source, target)
    assert list(told) == ["no_target_labels"] and "unknown" in told["no_target_labels"]


def test_a_long_list_of_classes_is_cut():
    collector = Collector([f"class {number}" for number in range(10)])
    collector.see_image(np.zeros((10, 16, 3), np.uint8))
    collector.see_label(bands(*range(10)))
    target = collector.domain((10, 16))
    nothing = dataclasses.replace(target.classes["class 0"], share=0.0)
    source = dataclasses.replace(target, classes=target.classes | {f"class {n}": nothing for n in range(1, 10)})
    assert "class 6 10.0 % and 3 more of the target's" in found(source, target)["absent_in_source"]


def test_every_key_that_a_remedy_names_exists():
    tree = ast.parse(inspect.getsource(findings))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    config = flatten(base_config())
    sections = {key.partition(".")[0] for key in config}
    named = {
        key
        for text in texts
        for key in re.findall(r"\b[a-z_]+(?:\.[a-z_]+)+\b", text)
        if key.partition(".")[0] in sections
    }
    assert len(named) >= 10
    assert named <= set(config)


@pytest.fixture(scope="module")
def streets_domains():
    """Images of each domain of Streets, with their labels."""
    return {
        domain: [streets.render(domain, "train", index, 5, (96, 192)) for index in range(24)]
        for domain in ("sim", "real")
    }


def domain_of(pairs):
    collector = Collector(CITYSCAPES.classes)
    for image, label in pairs:
        collector.see_image(image)
        collector.see_label(label)
    return collector.domain(pairs[0][1].shape)


@pytest.mark.parametrize("domain", ["sim", "real"])
def test_two_halves_of_one_domain_seldom_warn(domain, streets_domains):
    rng, pairs, warned = np.random.default_rng(0), streets_domains[domain], 0
    for _ in range(10):
        order = rng.permutation(len(pairs))
        halves = [domain_of([pairs[index] for index in part]) for part in (order[:12], order[12:])]
        kinds = set(found(*halves)) - {"few_target_images"}  # that is no difference
        warned += len(kinds)
    assert warned <= 3


def test_the_gap_of_streets_is_told(streets_domains):
    told = found(*(domain_of(streets_domains[domain]) for domain in ("sim", "real")))
    assert {"colour", "saturation", "sharpness", "noise"} <= set(told)
    assert "yellower" in told["colour"] and told["sharpness"].startswith("the source is")
