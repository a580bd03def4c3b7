import json

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config, override
from udas_tf.data import pipeline, records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.stages import networks, translate

COUNT, SIZE = 5, (8, 8)


def brightness_classes(images, training=False):
    """A segmenter: bright pixels are sidewalk, dark ones road."""
    bright = tf.cast(images, tf.float32)[..., :1] - 127.5
    rest = tf.fill([*bright.shape[:3], 17], -1e4)
    return {"primary": tf.concat([tf.zeros_like(bright), bright, rest], -1)}


def brighten_marked(images, training=False):
    """A generator that turns what is 100 into 200 and leaves the rest."""
    return tf.where(images == 100.0, 200.0, images)


def write_source(run_dir):
    """Image k has k columns of 100 among those of 50; the first of its eight rows has no label."""

    def sample(index):
        image = np.full((*SIZE, 3), 50, np.uint8)
        image[:, :index] = 100
        label = np.zeros(SIZE, np.uint8)
        label[0] = 255
        return records.Sample(f"image_{index}", image, label)

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
def run_dir(tmp_path, monkeypatch):
    run_dir = RunDir(tmp_path)
    write_source(run_dir)
    for name in ("translate", "no_adaptation"):
        finish(run_dir.training(name), {"weights_sha256": name})
    monkeypatch.setattr(networks, "trained_generator", lambda *_: brighten_marked)
    monkeypatch.setattr(networks, "trained_segmenter", lambda *_: brightness_classes)
    return run_dir


def config(bound, on_disagreement="keep_source"):
    keys = {"translate.max_disagreement": bound, "translate.on_disagreement": on_disagreement}
    return override(
        base_config(), {"data.shard_images": "2", **{key: str(value) for key, value in keys.items()}}
    )


def columns_brightened(run_dir):
    """Image name -> how many of its columns the translated set shows bright."""
    batches, _ = pipeline.evaluation(run_dir.translated, 1, ("image", "id"))
    return {
        batch["id"][0].decode(): int((batch["image"][0, 0, :, 0] == 200).sum())
        for batch in batches.as_numpy_iterator()
    }


def provenance_of_records(run_dir):
    """Image name -> who translated it."""
    found = {}
    for file in sorted(run_dir.translated.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            provenance = json.loads(features["provenance"].bytes_list.value[0])
            found[features["id"].bytes_list.value[0].decode()] = provenance.get("translated_by")
    return found


def test_without_a_bound_nobody_looks(run_dir):
    translate.translate(config(0.0), run_dir)
    assert columns_brightened(run_dir) == {f"image_{k}": k for k in range(5)}
    assert translate.check(run_dir) is None
    assert "checked_by" not in records.read_manifest(run_dir.translated)["provenance"]


def test_what_changed_too_much_is_kept_as_it_was(run_dir, capsys):
    """Image k changes k / 8 of its pixels; two eighths are just within the bound."""
    translate.translate(config(0.25), run_dir)
    assert columns_brightened(run_dir) == {
        "image_0": 0,
        "image_1": 1,
        "image_2": 2,
        "image_3": 0,
        "image_4": 0,
    }
    origins = provenance_of_records(run_dir)
    assert [origins[f"image_{k}"] for k in range(5)] == ["translate"] * 3 + [None] * 2
    found = translate.check(run_dir)
    assert (found["images"], found["rejected"]) == (5, 2)
    assert found["rejected_ids"] == ["image_3", "image_4"]
    assert found["worst"] == [[f"image_{k}", pytest.approx(k / 8)] for k in (4, 3, 2, 1, 0)]
    # (0 + 1 + 2 + 3 + 4) columns of 5 * 8, whether the images were kept or not.
    assert found["disagreement"] == pytest.approx(0.25)
    assert found["flow"] == {"road": {"share": 1.0, "stayed": 0.75, "became": {"sidewalk": 0.25}}}
    provenance = records.read_manifest(run_dir.translated)["provenance"]
    assert (provenance["checked_by"], provenance["max_disagreement"]) == ("no_adaptation", 0.25)
    assert "2 of 5 images changed what they show (keep_source)" in capsys.readouterr().out


def test_what_changed_too_much_is_dropped_and_listed(run_dir):
    translate.translate(config(0.25, "drop"), run_dir)
    assert columns_brightened(run_dir) == {"image_0": 0, "image_1": 1, "image_2": 2}
    manifest = records.read_manifest(run_dir.translated)
    assert manifest["skipped"] == [
        {"path": "image_3", "reason": "shows other classes on 37.5 % of its pixels"},
        {"path": "image_4", "reason": "shows other classes on 50.0 % of its pixels"},
    ]
    assert translate.check(run_dir)["rejected"] == 2


def test_a_bound_of_one_measures_and_passes_everything(run_dir):
    translate.translate(config(1.0), run_dir)
    assert columns_brightened(run_dir) == {f"image_{k}": k for k in range(5)}
    assert translate.check(run_dir)["rejected"] == 0
    assert translate.check(run_dir)["disagreement"] == pytest.approx(0.25)


def test_a_resumed_check_is_the_unbroken_one(run_dir):
    translate.translate(config(0.25), run_dir)
    unbroken = translate.check(run_dir)
    for name in ("manifest.json", translate.CHECK, "00002-of-00003.json", "00002-of-00003.tfrecord"):
        (run_dir.translated / name).unlink()
    (run_dir.translated / "note-00000004.json").unlink()
    translate.translate(config(0.25), run_dir)
    assert translate.check(run_dir) == unbroken
    (run_dir.translated / translate.CHECK).unlink()  # killed between the set and its check
    translate.translate(config(0.25), run_dir)
    assert translate.check(run_dir) == unbroken


def test_the_check_needs_the_network_of_the_source(run_dir, monkeypatch):
    monkeypatch.undo()
    (run_dir.training("no_adaptation") / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"no_adaptation segmenter.*bin/udas train --stage=source --workdir"):
        translate.translate(config(0.25), run_dir)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ((1.5,), "max_disagreement=1.5; expected 0"),
        ((0.2, "remove"), "on_disagreement='remove' is unknown; expected one of keep_source, drop"),
    ],
)
def test_settings_that_mean_nothing_are_refused(run_dir, keys, message):
    with pytest.raises(UserError, match=message):
        translate.translate(config(*keys), run_dir)
    assert not run_dir.translated.exists()


def test_images_without_labelled_pixels_never_disagree():
    assert translate.disagreement(np.zeros((3, 3), np.int64)) == 0.0
    assert translate.disagreement(np.array([[6, 2], [1, 1]])) == pytest.approx(0.3)
