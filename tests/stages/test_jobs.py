"""What a run's jobs need, and that several at a time keep to it."""

import multiprocessing
import time

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.stages import jobs

TINY = "tests/end_to_end/tiny.py"


def needs(run_dir, **changes) -> dict[str, set[str]]:
    config = configs.override(configs.load(TINY), {key.replace("__", "."): v for key, v in changes.items()})
    return {job.name: set(job.needs) for job in jobs.jobs(config, run_dir)}


def test_what_each_job_reads(tmp_path):
    """tiny.py starts adaptation from the network trained on the same source, and students from their teacher."""
    assert needs(RunDir(tmp_path), student__rounds="2") == {
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


def test_what_judges_translations_is_needed(tmp_path):
    found = needs(RunDir(tmp_path), translate__max_disagreement="0.5")
    assert (found["translate"], found["translated"]) == (set(), {"translate", "no_adaptation"})
    found = needs(RunDir(tmp_path), translate__weight_semantic="1.0")
    assert (found["translate"], found["translated"]) == ({"no_adaptation"}, {"translate", "no_adaptation"})
    found = needs(
        RunDir(tmp_path), translate__max_disagreement="0.5", rows="translation", student__rounds="0"
    )
    assert list(found) == ["no_adaptation", "translate", "translated", "translation"]


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Lets each job be a process that writes when it begins and ends; yields a reader of (name, begin or end) pairs."""
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

    monkeypatch.setattr(jobs, "_begin", begin)
    monkeypatch.setattr(jobs, "cores", lambda: 4)
    return lambda: path.read_text().splitlines()


def job(name: str, *needed: str, code: int = 0, done: bool = False) -> jobs.Job:
    return jobs.Job(name, lambda: pytest.fail("made in this process"), str(code), needed, done)


def test_several_at_a_time(log, tmp_path):
    """b, whom the longest chain waits for, is first; a beside it; what needs a waits for its end."""
    pending = [job("a"), job("b"), job("c", "b"), job("d", "c", "a"), job("e", "d")]
    jobs.make(pending, RunDir(tmp_path), at_once=2)
    lines = log()
    assert set(lines[:2]) == {"a begins 2", "b begins 2"}
    assert lines.index("b ends") < lines.index("c begins 2") < lines.index("a ends")
    # Alone, a job has all cores.
    assert (
        lines.index("a ends") < lines.index("d begins 4") < lines.index("d ends") < lines.index("e begins 4")
    )
    assert len(lines) == 10


def test_never_more_than_asked_for(log, tmp_path):
    jobs.make([job(name) for name in "abcde"], RunDir(tmp_path), at_once=2)
    running, most = 0, 0
    for line in log():
        running += 1 if "begins" in line else -1
        most = max(most, running)
    assert most == 2


def test_what_is_made_is_not_begun(log, tmp_path):
    jobs.make([job("b", done=True), job("c", "b")], RunDir(tmp_path), at_once=2)
    assert log() == ["c begins 4", "c ends"]


def test_a_failure_stops_the_others(log, tmp_path):
    with pytest.raises(UserError, match="b ended with exit code 2"):
        jobs.make([job("a"), job("b", code=2), job("c", "b")], RunDir(tmp_path), at_once=2)
    time.sleep(1.0)  # more than a takes
    assert "a ends" not in log()
    assert not any(line.startswith("c") for line in log())


def test_an_interrupted_job_interrupts(log, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        jobs.make([job("b", code=130)], RunDir(tmp_path), at_once=2)


def test_finished_directories_are_done(tmp_path):
    run = RunDir(tmp_path)
    finish(run.training("no_adaptation"), {})
    finish(run.translated, {})
    assert [j.name for j in jobs.jobs(configs.load(TINY), run) if j.done] == ["no_adaptation", "translated"]
