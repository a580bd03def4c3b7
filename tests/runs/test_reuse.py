"""Runs share artefacts by links, and write nothing into what they share."""

import shutil
from pathlib import Path

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import reuse, rows, training
from udas_tf.runs.plan import plan


def make_config(keys=None):
    return configs.override(configs.base_config(), keys or {})


def make_run(path, keys=None):
    return open_run(make_config(keys), RunDir(path))


def finished_run(path, keys=None) -> RunDir:
    run = make_run(path, keys)
    configs.save(run.config, run.dir.config)
    for artefact in plan(run):
        finish(path / artefact.path, {"made_in": path.name})
    return run.dir


UNLABELLED = {
    *("data/source_train", "data/target_unlabelled", "data/target_val", "data/target_val_full"),
    *("training/translate", "translated"),
    *(f"training/{row}" for row in ("no_adaptation", "translation", "adaptation", "translation_adaptation")),
}


def test_finished_directories_are_linked_and_the_rest_is_not(tmp_path):
    first = finished_run(tmp_path / "a")
    (first.training("translation") / "manifest.json").unlink()
    run = make_run(tmp_path / "seed" / "b", {"data.target.labelled": 7})
    linked = reuse.share(run, [first])
    assert set(map(str, linked)) == UNLABELLED - {"training/translation"}
    assert (run.dir.data("source_train") / "manifest.json").read_text() == '{\n "made_in": "a"\n}\n'
    assert not run.dir.training("cutmix").exists() and not run.dir.training("translation").exists()
    assert reuse.share(run, [first]) == []


def test_links_survive_a_move_of_the_whole(tmp_path):
    first = finished_run(tmp_path / "study" / "a")
    reuse.share(make_run(tmp_path / "study" / "b"), [first])
    shutil.move(tmp_path / "study", tmp_path / "moved")
    assert (tmp_path / "moved/b/training/cutmix/manifest.json").is_file()


def test_what_a_run_has_stays(tmp_path):
    first, second = (finished_run(tmp_path / name) for name in "ab")
    (second.training("cutmix") / "manifest.json").unlink()  # begun, to be gone on with
    assert reuse.share(make_run(tmp_path / "b"), [first, second, RunDir(tmp_path / "nothing")]) == []


def test_links_to_what_was_removed_are_made_anew(tmp_path):
    first, second = (finished_run(tmp_path / name) for name in "ab")
    run = make_run(tmp_path / "c")
    reuse.share(run, [first])
    shutil.rmtree(first.training("cutmix"))
    assert reuse.share(run, [first, second]) == [Path("training/cutmix")]
    assert run.dir.training("cutmix").resolve() == second.training("cutmix").resolve()
    shutil.rmtree(second.training("cutmix"))
    reuse.share(run, [first, second])
    assert not run.dir.training("cutmix").is_symlink()  # so that it can be trained again


def test_links_do_not_lead_to_links(tmp_path):
    first = finished_run(tmp_path / "a")
    second, third = (make_run(tmp_path / name) for name in "bc")
    configs.save(make_config(), second.dir.config)
    reuse.share(second, [first])
    reuse.share(third, [second.dir])
    shutil.rmtree(second.dir.path)
    assert third.dir.translated.resolve() == first.translated.resolve()


def test_ones_own_row_is_linked_where_it_is_defined_alike(tmp_path):
    own = {"row.mine.stage": "student", "row.mine.teacher": "adaptation", "rows": "adaptation,mine"}
    first = finished_run(tmp_path / "a", own)
    same = reuse.share(make_run(tmp_path / "b", own | {"data.target.labelled": 7}), [first])
    assert {Path("training/mine"), Path("pseudo_labels/mine")} <= set(same)
    other = reuse.share(make_run(tmp_path / "c", own | {"row.mine.start": "teacher"}), [first])
    assert Path("pseudo_labels/mine") in other and Path("training/mine") not in other
    # A run whose table lacks the row, but which has trained it, gives it, too.
    configs.save(make_config(own | {"rows": "adaptation"}), first.config)
    assert Path("training/mine") in reuse.share(make_run(tmp_path / "d", own), [first])


def test_runs_are_found_where_they_lie(tmp_path):
    for name in (".", "seed-1/labels-4", "seed-1/labels-0", "seed-1/labels-0/too/deep"):
        configs.save(make_config(), RunDir(tmp_path / name).config)
    found = [run.path.relative_to(tmp_path) for run in reuse.runs_in([tmp_path])]
    assert found == [Path("."), Path("seed-1/labels-0"), Path("seed-1/labels-4")]
    with pytest.raises(UserError, match="nowhere holds no run"):
        reuse.runs_in([tmp_path, tmp_path / "nowhere"])


def test_linked_pseudo_labels_are_audited_by_the_run_that_links_them(tmp_path, monkeypatch):
    """Without audits the stop rule would see no round, and the report no warning; and they follow from the labels."""
    first, run = finished_run(tmp_path / "a"), make_run(tmp_path / "b")
    audited = []
    monkeypatch.setattr(
        training.audit, "audit", lambda run, *arguments: audited.append((run.dir.path.name, *arguments))
    )
    (first.pseudo_labels("student_3") / "manifest.json").unlink()
    reuse.share(run, [first])
    training.audit_rounds(run, rows.named(run.config, "student_3"))
    assert audited == [("b", "student_1", 1, None), ("b", "student_2", 2, "student_1")]
