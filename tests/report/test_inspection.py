import json

import numpy as np
import pytest

from udas_tf import cli
from udas_tf import run as runs
from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.report.inspection import inspect, text
from udas_tf.run_dir import RunDir

ROAD, SKY, PERSON, BUS, TRAIN = (CITYSCAPES.id_of(name) for name in ("road", "sky", "person", "bus", "train"))


def sample(index, ids, size, grey, original=None):
    """An image of one grey; its label has `ids` as bands of equal height, None gives none."""
    label = None
    if ids is not None:
        rows = np.repeat(np.array(ids, np.uint8), size[0] // len(ids))
        label = np.repeat(rows[:, np.newaxis], size[1], axis=1)
    provenance = {"original_size": original} if original else {}
    image = np.full((*size, 3), grey + index, np.uint8)
    return Sample(f"image_{index}", image, label, provenance=provenance)


def write(directory, ids, count=6, role="training", size=(8, 16), grey=100, **options):
    records.write(
        directory,
        role,
        count,
        lambda indices: (sample(index, ids, size, grey, **options) for index in indices),
        shard_images=4,
        provenance={"dataset": "test"},
        label="test",
    )
    return directory


def empty_run(tmp_path):
    return runs.open_run(base_config(), RunDir(tmp_path / "run"))


@pytest.fixture
def run(tmp_path):
    """A run whose target shows a bus and lacks a person; hidden and validation labels alone show a train."""
    run = empty_run(tmp_path)
    run_dir = run.dir
    write(run_dir.data("source_train"), [SKY, PERSON, ROAD, ROAD])
    write(run_dir.data("target_labelled"), [SKY, BUS, ROAD, ROAD], grey=160)
    write(run_dir.data("target_unlabelled"), None, count=9, grey=160)
    write(run_dir.data("target_hidden"), [TRAIN], role="hidden")
    write(run_dir.data("target_val"), [TRAIN], role="validation")
    return run


def without_shards(directory):
    """Only the manifest is left: whoever opens a record fails."""
    for file in directory.glob("*.tfrecord"):
        file.unlink()


def test_source_and_target_side_by_side(run):
    found = inspect(run)
    shown = text(found)
    lines = {line.split("  ")[0]: line.split()[1:5] for line in shown.splitlines()}
    assert lines["person"] == ["25.00", "-", "100", "0"]
    assert lines["bus"] == ["-", "25.00", "0", "100"]
    assert lines["road"][2:4] == ["100", "100"]
    assert "Not among the labels of either domain: sidewalk" in shown
    assert "source: 6 images and 6 labels looked at" in shown
    assert "target: 9 images and 6 labels looked at" in shown  # images of the set without labels
    assert found.source.classes["person"].share == 0.25
    assert found.gap.shares == pytest.approx(0.25)
    kinds = [finding.kind for finding in found.warnings]
    assert kinds[:2] == ["absent_in_source", "absent_in_target"] and "colour" in kinds
    assert "1. Bus 25.0 % of the target's labelled pixels" in shown
    assert found.mosaic == str(run.dir.path / "inspection" / "mosaic.png")
    assert shown.endswith(f"The sets from top to bottom: {found.mosaic}")
    assert found.sets["target"] == [str(run.dir.data(name)) for name in ("target_labelled", "target_unlabelled")]


def test_hidden_and_validation_labels_do_not_count(run, monkeypatch):
    """The report comes out without the hidden records; validation labels are drawn and not counted."""
    without_shards(run.dir.data("target_hidden"))
    purposes = {}
    read = records.read

    def watched(directory, *, purpose, **options):
        purposes.setdefault(directory.name, set()).add(purpose)
        return read(directory, purpose=purpose, **options)

    monkeypatch.setattr(records, "read", watched)
    found = inspect(run)
    assert found.target.classes["train"].share == 0
    assert "target_hidden" not in text(found)
    assert purposes["target_val"] == {"evaluation"} and "target_hidden" not in purposes
    assert "training" in purposes["target_labelled"] & purposes["source_train"]


@pytest.mark.parametrize("name", ["target_hidden", "target_val"])
def test_guarded_sets_are_refused_by_name_too(name, run, tmp_path):
    with pytest.raises(UserError, match="training may not open"):
        inspect(run, str(tmp_path / "m.png"), target=[str(run.dir.data(name))])
    assert not (tmp_path / "m.png").exists()


def test_without_target_labels_its_shares_are_unknown(run, tmp_path):
    found = inspect(run, str(tmp_path / "m.png"), target=[str(run.dir.data("target_unlabelled"))])
    assert found.target.classes is found.gap.shares is None
    assert found.warnings[0].kind == "no_target_labels"
    assert "unknown" in next(line for line in text(found).splitlines() if line.startswith("road"))


def test_images_are_spread_over_a_set_and_shares_are_those_of_all(tmp_path):
    directory = tmp_path / "set"
    ids = [[ROAD], [BUS], [BUS], [BUS], [SKY], [BUS], [BUS], [BUS], [ROAD], [BUS]]
    records.write(
        directory,
        "training",
        10,
        lambda indices: (sample(index, ids[index], (8, 16), 100) for index in indices),
        shard_images=3,
        provenance={},
        label="test",
    )
    found = inspect(empty_run(tmp_path), str(tmp_path / "m.png"), [str(directory)], images=3)
    source = found.source
    assert source.images == source.labelled == 3  # records 0, 4 and 8
    assert [source.classes[name].images for name in ("road", "sky", "bus")] == [2, 1, 0]
    assert source.classes["bus"].share == pytest.approx(0.7)
    assert found.target is found.gap is None and found.warnings == []
    assert not (tmp_path / "run").exists()


def test_original_sizes_come_from_the_records(tmp_path):
    wide = write(tmp_path / "wide", [ROAD], original=[10, 40], count=5)
    high = write(tmp_path / "high", [ROAD], original=[10, 20])
    found = inspect(empty_run(tmp_path), str(tmp_path / "m.png"), [str(wide)], [str(high)])
    assert found.source.original_sizes == ((10, 40, 5),)
    assert found.target.original_sizes == ((10, 20, 6),)
    assert found.gap.stretch == pytest.approx(2)
    assert "stretch" in [finding.kind for finding in found.warnings]
    assert "5 were 10x40 (4.00:1)" in text(found)


def test_sets_that_cannot_be_inspected(tmp_path):
    run = empty_run(tmp_path)
    with pytest.raises(UserError, match="run first: bin/udas data prepare"):
        inspect(run)
    foreign = write(tmp_path / "foreign", [19])
    with pytest.raises(UserError, match="hold ids 19, and the config's classes are 'cityscapes'"):
        inspect(run, str(tmp_path / "m.png"), [str(foreign)])
    damaged = write(tmp_path / "damaged", [ROAD])
    shard = min(damaged.glob("*.tfrecord"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=f"{shard.name} is damaged"):
        inspect(run, str(tmp_path / "m.png"), [str(damaged)])
    assert not (tmp_path / "m.png").exists()


def test_a_damaged_manifest_names_the_file_and_the_key(tmp_path):
    directory = write(tmp_path / "set", [ROAD])
    manifest = directory / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"count": 6', '"count": "six"'))
    with pytest.raises(UserError, match=r"set/manifest\.json is damaged \(Expected `int`.*at `\$\.count`"):
        inspect(empty_run(tmp_path), str(tmp_path / "m.png"), [str(directory)])


def test_the_command_prints_a_text_or_one_json_document(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs.save(run.with_config(override(base_config(), {"data.size": "8,16"})))
    assert cli.main(["data", "inspect", f"--workdir={run.dir.path}", "--json", "--images=4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"classes", "source", "target", "gap", "warnings", "mosaic", "sets"}
    assert found["source"]["images"] == 3  # every second of six
    assert found["source"]["classes"]["person"]["share"] == 0.25
    sets = [f"--source={run.dir.data('source_train')}", f"--target={run.dir.data('target_unlabelled')}"]
    assert cli.main(["data", "inspect", *sets]) == 0
    assert "Warnings" in capsys.readouterr().out
    assert (tmp_path / "mosaic.png").is_file()
    assert not (tmp_path / "runs").exists()
