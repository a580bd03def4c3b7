import json

import numpy as np
import pytest
from PIL import Image

from udas_tf import cli
from udas_tf.config import base_config, override, save
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.stages import inspect, mosaic
from udas_tf.taxonomy import CITYSCAPES

ROAD, SKY, PERSON, BUS, TRAIN = (CITYSCAPES.id_of(name) for name in ("road", "sky", "person", "bus", "train"))


def sample(index, ids, size, grey, original=None):
    """An image of one grey; its label has `ids` as bands of equal height, None gives none."""
    label = None
    if ids is not None:
        rows = np.repeat(np.array(ids, np.uint8), size[0] // len(ids))
        label = np.repeat(rows[:, np.newaxis], size[1], axis=1)
    provenance = {"original_size": original} if original else {}
    image = np.full((*size, 3), grey + index, np.uint8)
    return records.Sample(f"image_{index}", image, label, provenance=provenance)


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


@pytest.fixture
def run_dir(tmp_path):
    """A run whose target shows a bus and lacks a person; hidden and validation labels alone show a train."""
    run_dir = RunDir(tmp_path / "run")
    write(run_dir.data("source_train"), [SKY, PERSON, ROAD, ROAD])
    write(run_dir.data("target_labelled"), [SKY, BUS, ROAD, ROAD], grey=160)
    write(run_dir.data("target_unlabelled"), None, count=9, grey=160)
    write(run_dir.data("target_hidden"), [TRAIN], role="hidden")
    write(run_dir.data("target_val"), [TRAIN], role="validation")
    return run_dir


def without_shards(directory):
    """Only the manifest is left: whoever opens a record fails."""
    for file in directory.glob("*.tfrecord"):
        file.unlink()


def test_source_and_target_side_by_side(run_dir, capsys):
    told = inspect.inspect(base_config(), run_dir)
    printed = capsys.readouterr().out
    lines = {line.split("  ")[0]: line.split()[1:5] for line in printed.splitlines()}
    assert lines["person"] == ["25.00", "-", "100", "0"]
    assert lines["bus"] == ["-", "25.00", "0", "100"]
    assert lines["road"][2:4] == ["100", "100"]
    assert "Not among the labels of either domain: sidewalk" in printed
    assert "source: 6 images and 6 labels looked at" in printed
    assert "target: 9 images and 6 labels looked at" in printed  # images of the set without labels
    assert told["source"]["classes"]["person"]["share"] == 0.25
    assert told["gap"]["shares"] == pytest.approx(0.25)
    kinds = [finding["kind"] for finding in told["warnings"]]
    assert kinds[:2] == ["absent_in_source", "absent_in_target"] and "colour" in kinds
    assert "1. Bus 25.0 % of the target's labelled pixels" in printed
    assert told["mosaic"] == str(run_dir.path / "data" / "mosaic.png")


def test_hidden_and_validation_labels_tell_nothing(run_dir, capsys, monkeypatch):
    """The report comes out without the hidden records; validation labels are drawn and not counted."""
    without_shards(run_dir.data("target_hidden"))
    purposes = {}
    read = records.read

    def watched(directory, *, purpose, **options):
        purposes.setdefault(directory.name, set()).add(purpose)
        return read(directory, purpose=purpose, **options)

    monkeypatch.setattr(records, "read", watched)
    told = inspect.inspect(base_config(), run_dir)
    assert told["target"]["classes"]["train"]["share"] == 0
    assert "target_hidden" not in capsys.readouterr().out
    assert purposes["target_val"] == {"evaluation"} and "target_hidden" not in purposes
    assert "training" in purposes["target_labelled"] & purposes["source_train"]


@pytest.mark.parametrize("name", ["target_hidden", "target_val"])
def test_guarded_sets_are_refused_by_name_too(name, run_dir, tmp_path):
    directory = run_dir.data(name)
    with pytest.raises(UserError, match="training may not open"):
        inspect.inspect(base_config(), run_dir, str(tmp_path / "m.png"), target=[str(directory)])
    assert not (tmp_path / "m.png").exists()


def test_without_target_labels_its_shares_are_unknown(run_dir, tmp_path, capsys):
    target = [str(run_dir.data("target_unlabelled"))]
    told = inspect.inspect(base_config(), run_dir, str(tmp_path / "m.png"), target=target)
    assert told["target"]["classes"] is told["gap"]["shares"] is None
    assert told["warnings"][0]["kind"] == "no_target_labels"
    printed = capsys.readouterr().out
    assert "unknown" in next(line for line in printed.splitlines() if line.startswith("road"))


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
    told = inspect.inspect(
        base_config(), RunDir(tmp_path / "no run"), str(tmp_path / "m.png"), [str(directory)], images=3
    )
    source = told["source"]
    assert source["images"] == source["labelled"] == 3  # records 0, 4 and 8
    assert [source["classes"][name]["images"] for name in ("road", "sky", "bus")] == [2, 1, 0]
    assert source["classes"]["bus"]["share"] == pytest.approx(0.7)
    assert told["target"] is told["gap"] is None
    assert not (tmp_path / "no run").exists()


def test_original_sizes_come_from_the_records(tmp_path):
    wide = write(tmp_path / "wide", [ROAD], original=[10, 40], count=5)
    high = write(tmp_path / "high", [ROAD], original=[10, 20])
    run_dir = RunDir(tmp_path / "run")
    told = inspect.inspect(base_config(), run_dir, str(tmp_path / "m.png"), [str(wide)], [str(high)])
    assert told["source"]["original_sizes"] == ((10, 40, 5),)
    assert told["target"]["original_sizes"] == ((10, 20, 6),)
    assert told["gap"]["stretch"] == pytest.approx(2)
    assert "stretch" in [finding["kind"] for finding in told["warnings"]]


def test_sets_that_cannot_be_inspected(tmp_path):
    run_dir = RunDir(tmp_path / "run")
    with pytest.raises(UserError, match="run first: bin/udas data prepare"):
        inspect.inspect(base_config(), run_dir)
    foreign = write(tmp_path / "foreign", [19])
    with pytest.raises(UserError, match="hold ids 19, and the config's classes are 'cityscapes'"):
        inspect.inspect(base_config(), run_dir, str(tmp_path / "m.png"), [str(foreign)])
    damaged = write(tmp_path / "damaged", [ROAD])
    shard = min(damaged.glob("*.tfrecord"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UserError, match=f"{shard.name} is damaged"):
        inspect.inspect(base_config(), run_dir, str(tmp_path / "m.png"), [str(damaged)])
    assert not (tmp_path / "m.png").exists()


def test_the_command_prints_one_json_document(run_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(override(base_config(), {"data.size": "8,16"}), run_dir.config)
    assert cli.main(["data", "inspect", f"--workdir={run_dir.path}", "--json", "--images=4"]) == 0
    captured = capsys.readouterr()
    told = json.loads(captured.out)
    assert "Warnings" in captured.err
    assert set(told) == {"classes", "source", "target", "gap", "warnings", "mosaic"}
    assert told["source"]["images"] == 3  # every second of six
    sets = [f"--source={run_dir.data('source_train')}", f"--target={run_dir.data('target_unlabelled')}"]
    assert cli.main(["data", "inspect", *sets]) == 0
    assert (tmp_path / "mosaic.png").is_file() and "No target" not in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_the_mosaic_has_images_above_their_labels_and_a_legend(tmp_path):
    large = write(tmp_path / "large", [SKY, ROAD], count=5, size=(400, 800), grey=200)
    plain = write(tmp_path / "plain", None, count=2, size=(100, 200), grey=50)
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
