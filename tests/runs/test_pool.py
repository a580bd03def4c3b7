"""What the trainings of a run wait for, and how several go at a time."""

import multiprocessing
import time
from pathlib import Path

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import pool
from udas_tf.runs.plan import Artefact, Kind, Plan, plan
from udas_tf.runs.rows import Row

TINY = "tests/end_to_end/tiny.py"


def make_run(path, keys=None):
    return open_run(configs.override(configs.load(TINY), keys or {}), RunDir(path))


def waits_for(keys) -> dict[str, set[str]]:
    artefacts = plan(make_run("nowhere", keys))
    jobs = [made for made in artefacts if made.kind in (Kind.TRAINING, Kind.TRANSLATED)]
    return {job.name: pool._needed_jobs(job, artefacts) for job in jobs}


def test_what_each_job_waits_for():
    """tiny.py starts adaptation from the network trained on the same source, and students from their teacher."""
    assert waits_for({"row.student.rounds": 2}) == {
        "no_adaptation": set(),
        "translate": set(),
        "translated": {"translate"},
        "translation": {"translated"},
        "adaptation": {"no_adaptation"},
        "translation_adaptation": {"translation", "translated"},
        "cutmix": {"translation", "translated"},
        "student_1": {"cutmix", "translated"},
        "student_2": {"student_1", "translated"},
        "supervised": set(),
    }


def test_what_judges_translations_is_waited_for():
    found = waits_for({"translated.max_disagreement": 0.5})
    assert (found["translate"], found["translated"]) == (set(), {"translate", "no_adaptation"})
    found = waits_for({"translate.weight_semantic": 1.0})
    assert (found["translate"], found["translated"]) == ({"no_adaptation"}, {"translate"})
    found = waits_for({"translated.max_disagreement": 0.5, "rows": "translation"})
    assert list(found) == ["no_adaptation", "translate", "translated", "translation"]


def test_ones_own_row_waits_for_what_it_needs_alone():
    own = {"row.mine.stage": "student", "row.mine.teacher": "no_adaptation", "row.mine.start": "supervised"}
    found = waits_for(own | {"rows": "no_adaptation,adaptation,supervised,mine"})
    assert found == {
        "no_adaptation": set(),
        "adaptation": {"no_adaptation"},
        "supervised": set(),
        "mine": {"no_adaptation", "supervised"},
    }


@pytest.mark.parametrize(("jobs", "gpus", "expected"), [(1, [], 1), (2, [], 2), (9, [], 4), (2, ["GPU:0"], 1)])
def test_as_many_at_a_time_as_jobs_and_cores_and_one_on_a_gpu(jobs, gpus, expected, monkeypatch):
    monkeypatch.setattr(pool, "cores", lambda: 4)
    monkeypatch.setattr(pool.devices, "gpus", lambda: gpus)
    assert pool.at_once(configs.override(configs.load(TINY), {"jobs": jobs})) == expected


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Makes each job a process that writes when it begins and ends, and exits with its command as the code.

    Returns a function that reads these lines.
    """
    path = tmp_path / "log"
    path.touch()
    took = {"a": 0.8, "b": 0.1, "c": 0.1, "d": 0.1, "e": 0.1}

    def begin(job, run_dir, threads, line):
        assert 0 <= line < 2
        code = (
            f"import time\nopen({str(path)!r}, 'a').write('{job.name} begins {threads}\\n')\n"
            f"time.sleep({took[job.name]})\nopen({str(path)!r}, 'a').write('{job.name} ends\\n')\n"
            f"raise SystemExit({job.command})"
        )
        process = multiprocessing.get_context("spawn").Process(target=exec, args=(code, {}))
        process.start()
        return process

    def fail(*_):
        pytest.fail("made in this process")

    monkeypatch.setattr(pool, "_begin", begin)
    monkeypatch.setattr(pool, "_make_here", fail)
    monkeypatch.setattr(pool, "cores", lambda: 4)
    return lambda: path.read_text().splitlines()


def job(name: str, *needs: str, code: int = 0) -> Artefact:
    path = Path("training") / name
    return Artefact(name, Kind.TRAINING, path, str(code), needs, {}, Row(name, name, "source"))


def make(path, *jobs: Artefact) -> None:
    pool.make(make_run(path / "run"), Plan(jobs), 2)


def test_several_at_a_time(log, tmp_path):
    """b, whom the longest chain waits for, is first; a beside it; what needs a waits for its end."""
    make(tmp_path, job("a"), job("b"), job("c", "b"), job("d", "c", "a"), job("e", "d"))
    lines = log()
    assert set(lines[:2]) == {"a begins 2", "b begins 2"}
    assert lines.index("b ends") < lines.index("c begins 2") < lines.index("a ends")
    # Alone, a job has all cores.
    assert lines.index("a ends") < lines.index("d begins 4") < lines.index("d ends") < lines.index("e begins 4")
    assert len(lines) == 10


def test_pseudo_labels_are_no_job_but_their_teacher_is_waited_for(log, tmp_path):
    labels = Artefact("pseudo_labels/c", Kind.PSEUDO_LABELS, Path("pseudo_labels/c"), "0", ("b",), {})
    make(tmp_path, job("b"), labels, job("c", "pseudo_labels/c"))
    assert log() == ["b begins 4", "b ends", "c begins 4", "c ends"]


def test_never_more_than_asked_for(log, tmp_path):
    make(tmp_path, *(job(name) for name in "abcde"))
    running, most = 0, 0
    for line in log():
        running += 1 if "begins" in line else -1
        most = max(most, running)
    assert most == 2


def test_what_is_made_is_not_begun(log, tmp_path):
    finish(RunDir(tmp_path / "run").training("b"), {})
    make(tmp_path, job("b"), job("c", "b"))
    assert log() == ["c begins 4", "c ends"]


def test_a_failure_stops_the_others(log, tmp_path):
    with pytest.raises(UserError, match="b ended with exit code 2"):
        make(tmp_path, job("a"), job("b", code=2), job("c", "b"))
    time.sleep(1.0)  # more than a takes
    assert "a ends" not in log()
    assert not any(line.startswith("c") for line in log())
    assert not (tmp_path / "run" / "compiled").exists()


def test_an_interrupted_job_interrupts(log, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, job("b", code=130))
