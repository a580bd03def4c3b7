import shutil
from pathlib import Path

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish, read_json, write_json
from udas_tf.stages import health, sharing


def make_config(**overrides):
    return configs.override(
        configs.base_config(), {key.replace("__", "."): v for key, v in overrides.items()}
    )


def shared_by(first, second) -> set[str]:
    """What runs of two configs would make alike."""
    a, b = sharing.artefacts(first), sharing.artefacts(second)
    return {str(path) for path in a if a[path] == b.get(path)}


def finished_run(path: Path, config) -> RunDir:
    run = RunDir(path)
    configs.save(config, run.config)
    for artefact in sharing.artefacts(config):
        finish(path / artefact, {"made_in": path.name})
    return run


UNLABELLED = {
    *("data/source_train", "data/target_unlabelled", "data/target_val", "data/target_val_full"),
    *("training/translate", "translated"),
    *(f"training/{row}" for row in ("no_adaptation", "translation", "adaptation", "translation_adaptation")),
}
LABELLED = {"data/target_labelled", "data/target_hidden", "training/cutmix", "training/supervised"}
STUDENTS = {f"training/student_{n}" for n in (1, 2, 3)} | {f"round-{n}/pseudo_labels" for n in (1, 2, 3)}
BEYOND_ROUND_1 = STUDENTS - {"round-1/pseudo_labels"}


def test_runs_of_one_config_share_everything():
    assert shared_by(make_config(), make_config()) == UNLABELLED | LABELLED | STUDENTS


@pytest.mark.parametrize("key", ["data__target__labelled", "data__target__label_seed"])
def test_labels_leave_what_sees_none(key):
    assert shared_by(make_config(), make_config(**{key: "7"})) == UNLABELLED


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"uda__weight_kl": "0"}, {"training/adaptation", "training/translation_adaptation", "training/cutmix"} | STUDENTS),
        ({"student__weight_consistency": "0"}, BEYOND_ROUND_1),
        ({"pseudo_label__views": "1"}, STUDENTS),
        ({"supervised__steps": "100"}, {"training/supervised"}),
        ({"student__rounds": "5", "rows": "no_adaptation,cutmix"}, {"training/translation", "training/adaptation", "training/translation_adaptation", "training/supervised"}),
        ({"translate__max_disagreement": "0.5"}, {"translated", "training/translation", "training/translation_adaptation", "training/cutmix"} | STUDENTS),
        ({"data__cache": "true"}, set()),
        ({"data__repeat_below": "0.1"}, {path for path in UNLABELLED | LABELLED | STUDENTS if not path.startswith("data/")} - {"training/translate"}),
    ],
)  # fmt: skip
def test_a_key_costs_what_follows_from_it(change, lost):
    assert shared_by(make_config(), make_config(**change)) == (UNLABELLED | LABELLED | STUDENTS) - lost


def test_a_network_without_auxiliary_classifier_keeps_data_and_generator():
    kept = shared_by(make_config(), make_config(model__auxiliary="false"))
    assert kept == {path for path in UNLABELLED | LABELLED if path.startswith("data/")} | {
        "training/translate"
    }


def test_a_generator_held_to_a_network_follows_from_it():
    held = {"translate__weight_semantic": "1"}
    kept = shared_by(make_config(**held), make_config(**held, model__auxiliary="false"))
    assert not any(path.startswith("training/") for path in kept)


@pytest.mark.parametrize("key", ["seed", "classes", "data__size", "data__target__val", "precision"])
def test_what_concerns_all_is_shared_by_nothing_trained(key):
    value = {
        "classes": "camvid",
        "data__size": "90,160",
        "data__target__val": "test",
        "precision": "mixed_bfloat16",
    }
    kept = shared_by(make_config(), make_config(**{key: value.get(key, "7")}))
    assert not any(path.startswith(("training/", "translated", "round-")) for path in kept)


def test_another_source_leaves_the_target_and_supervised():
    kept = shared_by(make_config(), make_config(data__source__images="10"))
    assert {path for path in kept if not path.startswith("data/target")} == {"training/supervised"}


def test_finished_directories_are_linked_and_the_rest_is_not(tmp_path):
    first = finished_run(tmp_path / "a", make_config())
    (first.training("translation") / "manifest.json").unlink()
    config, run = make_config(data__target__labelled="7"), RunDir(tmp_path / "seed" / "b")
    linked = sharing.share(config, run, [first])
    assert set(map(str, linked)) == UNLABELLED - {"training/translation"}
    assert (run.data("source_train") / "manifest.json").read_text() == '{\n "made_in": "a"\n}\n'
    assert not run.training("cutmix").exists() and not run.training("translation").exists()
    assert sharing.share(config, run, [first]) == []


def test_links_survive_a_move_of_the_whole(tmp_path):
    first = finished_run(tmp_path / "study" / "a", make_config())
    sharing.share(make_config(), RunDir(tmp_path / "study" / "b"), [first])
    shutil.move(tmp_path / "study", tmp_path / "moved")
    assert (tmp_path / "moved/b/training/cutmix/manifest.json").is_file()


def test_what_a_run_has_stays(tmp_path):
    first, second = (finished_run(tmp_path / name, make_config()) for name in "ab")
    (second.training("cutmix") / "manifest.json").unlink()  # begun, to be gone on with
    assert sharing.share(make_config(), second, [first, second, RunDir(tmp_path / "nothing")]) == []


def test_links_to_what_was_removed_are_made_anew(tmp_path):
    first, second = (finished_run(tmp_path / name, make_config()) for name in "ab")
    run = RunDir(tmp_path / "c")
    sharing.share(make_config(), run, [first])
    shutil.rmtree(first.training("cutmix"))
    assert sharing.share(make_config(), run, [first, second]) == [Path("training/cutmix")]
    assert run.training("cutmix").resolve() == second.training("cutmix").resolve()
    shutil.rmtree(second.training("cutmix"))
    sharing.share(make_config(), run, [first, second])
    assert not run.training("cutmix").is_symlink()  # so that it can be trained again


def test_links_do_not_lead_to_links(tmp_path):
    first = finished_run(tmp_path / "a", make_config())
    second, third = (RunDir(tmp_path / name) for name in "bc")
    configs.save(make_config(), second.config)
    sharing.share(make_config(), second, [first])
    sharing.share(make_config(), third, [second])
    shutil.rmtree(second.path)
    assert third.translated.resolve() == first.translated.resolve()


def test_runs_are_found_where_they_lie(tmp_path):
    for name in (".", "seed-1/labels-4", "seed-1/labels-0", "seed-1/labels-0/too/deep"):
        configs.save(make_config(), RunDir(tmp_path / name).config)
    found = [run.path.relative_to(tmp_path) for run in sharing.runs_in([tmp_path])]
    assert found == [Path("."), Path("seed-1/labels-0"), Path("seed-1/labels-4")]
    with pytest.raises(UserError, match="nowhere holds no run"):
        sharing.runs_in([tmp_path, tmp_path / "nowhere"])


def test_what_a_run_has_of_another_config(tmp_path):
    saved = make_config(student__rounds="2")
    run = finished_run(tmp_path / "run", saved)
    assert sharing.made_otherwise(saved, saved, run) == []
    changed = make_config(student__rounds="2", supervised__steps="100")
    assert sharing.made_otherwise(saved, changed, run) == [Path("training/supervised")]
    finish(run.training("student_3"), {})  # by hand, beyond the config's rounds
    assert sharing.made_otherwise(saved, make_config(student__rounds="3"), run) == []


def test_who_shares_pseudo_labels_has_their_audit(tmp_path):
    """Without it the stop rule would see no round, and the report no warning."""
    config = make_config()
    one, other = finished_run(tmp_path / "one", config), RunDir(tmp_path / "other")
    write_json(health.audit_file(one, 2), {"score": 0.5})
    sharing.share(config, other, [one])
    assert read_json(health.audit_file(other, 2)) == {"score": 0.5}
