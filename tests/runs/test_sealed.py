"""What is finished is sealed: no command writes into a directory with a manifest, or through a link into another."""

import hashlib
import shutil
from pathlib import Path

import pytest

from udas_tf import cli

pytestmark = pytest.mark.slow

TINY = "tests/end_to_end/tiny.py"
KEYS = {
    "jobs": 1,  # in this process
    "rows": "no_adaptation,student",
    "data.source.images": 8,
    "data.target.val_full_size": "96,192",
    "model.auxiliary": False,
    "model.compact.blocks": "1,1,1,1",
    "translated.max_disagreement": 0.9,
    "pseudo_label.views": 2,
    "row.student.teacher": "no_adaptation",
    "row.student.source": "translated",
    "row.student.mixed": False,
    "student.weight_consistency": 0,
    "student.augment_mixed": "flip",
    "student.augment_pseudo": "flip",
}

# Everything that reads what is finished.
COMMANDS = [
    "run",
    "data prepare",
    "train --name=no_adaptation",
    "train --stage=translate",
    "train --name=student_1",
    "translate",
    "pseudo_label --round=1",
    "evaluate --name=no_adaptation",
    "evaluate --name=no_adaptation --on=source",
    "evaluate --name=no_adaptation --on=translated",
    "evaluate --name=student_1 --tta=flip --resolution=full",
    "data inspect --images=4",
    "report",
]


def udas(words: str, workdir: Path, *flags: str) -> None:
    command = [word for word in words.split() if not word.startswith("--")]
    assert cli.main([*command, *words.split()[len(command) :], f"--workdir={workdir}", *flags]) == 0


def sealed(workdir: Path) -> list[Path]:
    """The finished directories of a run, not those behind links."""
    return sorted(manifest.parent for manifest in workdir.rglob("manifest.json") if not manifest.parent.is_symlink())


def contents(*directories: Path) -> dict[Path, tuple[int, str]]:
    """Path -> time of its last change and, of a file, checksum; for all below the directories, and themselves.

    A file that comes and goes again leaves its trace in the time of its directory.
    """
    found = {}
    for directory in directories:
        for path in (directory, *directory.rglob("*")):
            checksum = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[path] = (path.lstat().st_mtime_ns, checksum)
    return found


def set_writable(directories: list[Path], writable: bool) -> None:
    """As `chmod -R`. It keeps nobody's root from writing; for root, contents tell."""
    for directory in directories:
        for path in (*directory.rglob("*"), directory):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o222 if writable else path.stat().st_mode & ~0o222)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The directory of a finished run, whose finished directories are read-only."""
    workdir = tmp_path_factory.mktemp("sealed") / "run"
    udas("run", workdir, f"--config={TINY}", *(f"--config.{key}={value}" for key, value in KEYS.items()))
    directories = sealed(workdir)
    set_writable(directories, False)
    yield workdir
    set_writable(directories, True)


def test_what_a_run_finishes_is_known(finished):
    """The other tests would pass if nothing were finished."""
    sets = ("source_train", "target_unlabelled", "target_labelled", "target_hidden", "target_val", "target_val_full")
    trainings = ("translate", "no_adaptation", "student_1")
    expected = {f"data/{name}" for name in sets} | {f"training/{name}" for name in trainings}
    expected |= {"translated", "pseudo_labels/student_1"}
    assert {str(path.relative_to(finished)) for path in sealed(finished)} == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_into_what_is_finished(finished, command):
    before = contents(*sealed(finished))
    udas(command, finished)
    assert contents(*sealed(finished)) == before


def test_an_export_writes_into_its_own_directory_alone(finished, tmp_path):
    before = contents(finished)
    udas("export --name=student_1", finished, f"--output={tmp_path / 'model'}")
    assert contents(finished) == before


def test_audits_and_checks_are_made_again_from_what_is_finished(finished):
    """They lie beside what they are about, and so can be made at any time."""
    files = [finished / "audits" / name for name in ("student_1.json", "translated.json")]
    texts = [file.read_text() for file in files]
    before = contents(*sealed(finished))
    shutil.rmtree(finished / "audits")
    udas("report", finished)
    assert [file.read_text() for file in files] == texts
    assert contents(*sealed(finished)) == before


@pytest.fixture(scope="module")
def linking(finished, tmp_path_factory) -> Path:
    """A run that links what it would make alike, and trains its own student on linked pseudo-labels."""
    workdir = tmp_path_factory.mktemp("linking") / "run"
    before = contents(finished)
    keys = KEYS | {"student.learning_rate": 1e-3}
    flags = [f"--config.{key}={value}" for key, value in keys.items()]
    udas("run", workdir, f"--config={TINY}", *flags, f"--reuse={finished}")
    assert contents(finished) == before
    return workdir


def links(workdir: Path) -> dict[str, Path]:
    return {str(path.relative_to(workdir)): path.resolve() for path in workdir.rglob("*") if path.is_symlink()}


def test_a_run_links_all_but_what_it_makes_otherwise(finished, linking):
    """Sets that `data prepare` finds finished are linked, too."""
    expected = {str(path.relative_to(finished)) for path in sealed(finished)} - {"training/student_1"}
    assert links(linking) == {name: finished / name for name in expected}
    assert sealed(linking) == [linking / "training/student_1"]
    # What was learnt of linked artefacts lies in the run that learnt it.
    assert {file.name for file in (linking / "audits").iterdir()} == {"student_1.json", "translated.json"}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_through_a_link(finished, linking, command):
    before, linked = contents(finished, *sealed(linking)), links(linking)
    udas(command, linking)
    assert contents(finished, *sealed(linking)) == before
    assert links(linking) == linked
