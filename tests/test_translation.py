import json
import shutil

import finished
import numpy as np
import pytest
import tensorflow as tf
from pixel_networks import by_brightness

from udas_tf import translation
from udas_tf.config import base_config, override
from udas_tf.data import pipeline, records
from udas_tf.data.sample import Sample, Skipped
from udas_tf.errors import UserError
from udas_tf.evaluation.metrics import ClassFlow
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.translation import Check, check_of, translate

COUNT, SIZE = 5, (8, 8)


def brighten_marked(images):
    """A generator, uint8 to uint8, that turns what is 100 into 200 and leaves the rest."""
    return tf.where(images == 100, tf.constant(200, tf.uint8), images)


def write_source(run_dir):
    """Image k has k columns of 100 among those of 50; the first of its eight rows has no label."""

    def sample(index):
        image = np.full((*SIZE, 3), 50, np.uint8)
        image[:, :index] = 100
        label = np.zeros(SIZE, np.uint8)
        label[0] = 255
        return Sample(f"image_{index}", image, label)

    records.write(
        run_dir.data("source_train"),
        "training",
        COUNT,
        lambda indices: map(sample, indices),
        shard_images=COUNT,
        provenance={"dataset": "made up"},
        label="source",
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    run_dir = RunDir(tmp_path)
    write_source(run_dir)
    finish(run_dir.training("translate"), finished.manifest("translate", "translate"))
    finish(run_dir.training("no_adaptation"), finished.manifest("no_adaptation", "source"))
    monkeypatch.setattr(translation, "generator", lambda run: brighten_marked)
    monkeypatch.setattr(translation, "trained_segmenter", lambda *_: by_brightness())
    return open_run(base_config(), run_dir)


def bounded(run, bound, on_disagreement="keep_source"):
    keys = {"translated.max_disagreement": bound, "translated.on_disagreement": on_disagreement}
    return run.with_config(override(base_config(), {"data.shard_images": 2, **keys}))


def columns_brightened(run):
    """Image name -> how many of its columns the translated set shows bright."""
    batches, _ = pipeline.evaluation(run.dir.translated, 1, ("image", "id"))
    return {
        batch["id"][0].decode(): int((batch["image"][0, 0, :, 0] == 200).sum()) for batch in batches.as_numpy_iterator()
    }


def provenance_of_records(run):
    """Image name -> checksum of the generator in its provenance."""
    found = {}
    for file in sorted(run.dir.translated.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            provenance = json.loads(features["provenance"].bytes_list.value[0])
            found[features["id"].bytes_list.value[0].decode()] = provenance.get("translated_by")
    return found


def test_without_a_bound_nothing_is_checked(run):
    translate(bounded(run, None))
    assert columns_brightened(run) == {f"image_{k}": k for k in range(5)}
    assert check_of(run.dir) is None
    assert "checked_by" not in records.read_manifest(run.dir.translated).provenance


def test_what_changed_too_much_is_kept_as_it_was(run, caplog):
    """Image k changes k / 8 of its pixels; two eighths are just within the bound."""
    caplog.set_level("INFO", logger="absl")
    translate(bounded(run, 0.25))
    assert columns_brightened(run) == {"image_0": 0, "image_1": 1, "image_2": 2, "image_3": 0, "image_4": 0}
    origins = provenance_of_records(run)
    assert [origins[f"image_{k}"] for k in range(5)] == ["translate"] * 3 + [None] * 2
    # (0 + 1 + 2 + 3 + 4) columns of 5 * 8 changed, whether the images were kept or not.
    assert check_of(run.dir) == Check(
        images=5,
        rejected=2,
        rejected_ids=["image_3", "image_4"],
        disagreement=pytest.approx(0.25),
        worst=[(f"image_{k}", pytest.approx(k / 8)) for k in (4, 3, 2, 1, 0)],
        flow={"road": ClassFlow(1.0, 0.75, {"sidewalk": 0.25})},
    )
    provenance = records.read_manifest(run.dir.translated).provenance
    assert (provenance["checked_by"], provenance["max_disagreement"]) == ("no_adaptation", 0.25)
    message = "translate: 2 of 5 images changed what they show (keep_source); mean disagreement 25.0 %"
    assert message in caplog.text


def test_what_changed_too_much_is_dropped_and_listed(run):
    translate(bounded(run, 0.25, "drop"))
    assert columns_brightened(run) == {"image_0": 0, "image_1": 1, "image_2": 2}
    manifest = records.read_manifest(run.dir.translated)
    assert manifest.skipped == [
        Skipped("image_3", "shows other classes on 37.5 % of its pixels"),
        Skipped("image_4", "shows other classes on 50.0 % of its pixels"),
    ]
    assert check_of(run.dir).rejected == 2


def test_a_bound_of_one_measures_and_passes_everything(run):
    translate(bounded(run, 1.0))
    assert columns_brightened(run) == {f"image_{k}": k for k in range(5)}
    check = check_of(run.dir)
    assert check.rejected == 0 and check.disagreement == pytest.approx(0.25)


def test_a_resumed_check_is_the_unbroken_one(run):
    translate(bounded(run, 0.25))
    unbroken = check_of(run.dir)
    for name in ("manifest.json", "00002-of-00003.json", "00002-of-00003.tfrecord", "note-00000004.json"):
        (run.dir.translated / name).unlink()
    run.dir.translation_check.unlink()
    translate(bounded(run, 0.25))
    assert check_of(run.dir) == unbroken
    run.dir.translation_check.unlink()  # killed between the set and its check
    sealed = {file.name: file.stat().st_mtime_ns for file in run.dir.translated.iterdir()}
    translate(bounded(run, 0.25))
    assert check_of(run.dir) == unbroken
    assert {file.name: file.stat().st_mtime_ns for file in run.dir.translated.iterdir()} == sealed


def test_translations_that_are_made_again_are_checked_again(run, monkeypatch):
    translate(bounded(run, 1.0))
    assert check_of(run.dir).disagreement == pytest.approx(0.25)
    shutil.rmtree(run.dir.translated)
    monkeypatch.setattr(translation, "generator", lambda run: tf.identity)
    translate(bounded(run, 1.0))
    assert check_of(run.dir).disagreement == 0.0


def test_the_check_needs_the_network_of_the_source(run, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(translation, "generator", lambda run: brighten_marked)
    (run.dir.training("no_adaptation") / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"no_adaptation segmenter.*bin/udas train --name=no_adaptation --workdir"):
        translate(bounded(run, 0.25))


def test_a_missing_generator_names_its_command(run):
    (run.dir.training("translate") / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"the generator not found.*bin/udas train --stage=translate --workdir"):
        translate(bounded(run, None))


@pytest.mark.parametrize(
    ("keys", "message"),
    [((1.5,), r"max_disagreement' received 1\.5"), ((0.2, "remove"), "on_disagreement' received 'remove'")],
)
def test_settings_that_mean_nothing_are_refused(run, keys, message):
    with pytest.raises(UserError, match=message):
        bounded(run, *keys)


def test_images_without_labelled_pixels_never_disagree():
    assert translation.disagreement(np.zeros((3, 3), np.int64)) == 0.0
    assert translation.disagreement(np.array([[6, 2], [1, 1]])) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"images": 5}, "missing required field `rejected`"),
        ({"rejected": "two"}, r"Expected `int`, got `str` - at `\$\.rejected`"),
        ({"worst": [["image_4", "half"]]}, r"Expected `float`, got `str` - at `\$\.worst\[0\]\[1\]`"),
        (
            {"flow": {"road": {"share": 1.0, "stayed": 0.5}}},
            r"missing required field `became` - at `\$\.flow\[\.\.\.\]`",
        ),
    ],
)
def test_a_damaged_check_names_the_file_and_the_key(run, content, complaint):
    if "images" not in content:
        whole = {"images": 5, "rejected": 2, "rejected_ids": [], "disagreement": 0.25, "worst": [], "flow": {}}
        content = whole | content
    file = run.dir.translation_check
    file.parent.mkdir()
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"audits/translated\.json is damaged \(.*{complaint}") as raised:
        check_of(run.dir)
    assert str(raised.value).endswith("remove it and run bin/udas translate again")
