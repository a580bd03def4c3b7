"""When bin/udas makes .venv, mends it or leaves it alone; with a Python that only keeps a log."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
# Stands for every Python: makes a `.venv` with itself in it, logs what it is asked to do, installs nothing.
PYTHON = """#!/bin/sh
case "$1" in
    -V) echo "Python $(cat "$FAKE/version")" ;;
    -c) [ "$(cat "$FAKE/version")" != 3.9.0 ] ;;
    *)
        echo "$*" >>"$FAKE/log"
        case "$*" in
            "-m venv"*)
                rm -rf "$4"
                mkdir -p "$4/bin"
                cp "$0" "$4/bin/python"
                ;;
            "-m pip"*)
                echo "noise of pip"
                if [ -e "$FAKE/slow" ]; then sleep 1; fi
                [ ! -e "$FAKE/broken" ]
                ;;
            *) echo "ran: $*" ;;
        esac
        ;;
esac
"""


class Checkout:
    """A copy of bin/ with requirements of its own and the Python above."""

    def __init__(self, path: Path):
        self.path, self.fake = path / "a checkout", path / "fake"
        shutil.copytree(CHECKOUT / "bin", self.path / "bin")
        (self.path / "setup.py").write_text("requirements\n")
        (self.path / "constraints.txt").write_text("versions\n")
        self.fake.mkdir()
        (self.fake / "version").write_text("3.11.2")
        (self.fake / "log").touch()
        python = self.fake / "python3"
        python.write_text(PYTHON)
        python.chmod(0o755)

    @property
    def environment(self):
        return {"PATH": f"{self.fake}:{os.environ['PATH']}", "FAKE": str(self.fake)}

    def udas(self, *arguments, launcher="bin/udas", **options):
        """Runs the launcher; `steps` of the result are what it had Python do before the command itself."""
        (self.fake / "log").write_text("")
        result = subprocess.run(
            [self.path / launcher, *arguments],
            env=self.environment,
            text=True,
            capture_output=True,
            **options,
        )
        result.steps = self.steps()
        return result

    def steps(self):
        log = (self.fake / "log").read_text().splitlines()
        return [line.split()[1] for line in log if line.split()[1] in ("venv", "pip")]

    @property
    def stamp(self):
        return self.path / ".venv" / "udas-stamp"


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_first_start_installs_with_constraints_and_runs_the_command(checkout):
    result = checkout.udas("evaluate", "--json", "a b")
    assert result.returncode == 0
    assert result.steps == ["venv", "pip"]
    assert result.stdout == "ran: -I -m udas_tf evaluate --json a b\n"  # the installation speaks on stderr
    assert "noise of pip" in result.stderr and "this happens once" in result.stderr
    log = (checkout.fake / "log").read_text()
    assert f"--constraint {checkout.path}/constraints.txt --editable {checkout.path}[test" in log


@pytest.mark.parametrize(("status", "extras"), [(0, "[test,gpu]"), (2, "[test]")])
def test_the_libraries_for_gpus_come_where_a_gpu_has_a_device_file(checkout, status, extras):
    """`ls` stands in for the machine's. A container may have been given /dev/nvidia1 alone."""
    ls = checkout.fake / "ls"
    ls.write_text(f'#!/bin/sh\ncase "$1" in /dev/nvidia[0-9]* | "/dev/nvidia[0-9]*") exit {status} ;; esac\nexit 3\n')
    ls.chmod(0o755)
    checkout.udas()
    assert f"--editable {checkout.path}{extras}\n" in (checkout.fake / "log").read_text()


def test_second_start_installs_nothing(checkout):
    checkout.udas()
    result = checkout.udas("report")
    assert result.steps == [] and result.stderr == "" and result.stdout == "ran: -I -m udas_tf report\n"


def test_the_exit_code_is_that_of_the_command(checkout):
    checkout.udas()
    python = checkout.path / ".venv" / "bin" / "python"
    python.write_text(python.read_text().replace('*) echo "ran: $*" ;;', "*) exit 2 ;;"))
    assert checkout.udas("train").returncode == 2


def test_works_through_a_symlink_from_any_directory(checkout, tmp_path):
    link = tmp_path / "udas"
    link.symlink_to(checkout.path / "bin" / "udas")
    result = checkout.udas("run", launcher=link, cwd="/")
    assert result.stdout == "ran: -I -m udas_tf run\n" and checkout.stamp.exists()


@pytest.mark.parametrize("file", ["setup.py", "constraints.txt"])
def test_changed_requirements_are_installed_over(checkout, file):
    checkout.udas()
    (checkout.path / file).write_text("other\n")
    result = checkout.udas()
    assert result.steps == ["pip"] and "bringing" in result.stderr
    assert checkout.udas().steps == []


def test_a_failed_installation_is_reported_and_begun_again(checkout):
    (checkout.fake / "broken").touch()
    result = checkout.udas("run")
    assert result.returncode == 1 and "the installation failed" in result.stderr and result.stdout == ""
    assert not checkout.stamp.exists()
    (checkout.fake / "broken").unlink()
    assert checkout.udas("run").steps == ["venv", "pip"]


def test_a_failed_mending_is_begun_again_from_nothing(checkout):
    checkout.udas()
    (checkout.path / "setup.py").write_text("other\n")
    (checkout.fake / "broken").touch()
    assert checkout.udas().steps == ["pip"]
    (checkout.fake / "broken").unlink()
    assert checkout.udas().steps == ["venv", "pip"]


def test_an_installation_that_was_killed_is_begun_again(checkout):
    (checkout.fake / "slow").touch()
    process = subprocess.Popen(
        [checkout.path / "bin/udas"], env=checkout.environment, stderr=subprocess.PIPE, start_new_session=True
    )
    while "pip" not in checkout.steps():
        time.sleep(0.02)
    os.killpg(process.pid, 9)
    process.communicate()
    assert not checkout.stamp.exists()
    assert checkout.udas().steps == ["venv", "pip"]


@pytest.mark.skipif(shutil.which("flock") is None, reason="flock is what makes starts take turns")
def test_two_first_starts_take_turns(checkout):
    (checkout.fake / "slow").touch()
    starts = [
        subprocess.Popen(
            [checkout.path / "bin/udas"],
            env=checkout.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in starts]
    assert [out for out, _ in outputs] == [b"ran: -I -m udas_tf\n"] * 2
    assert sum(b"waiting for it" in err for _, err in outputs) == 1
    assert checkout.steps() == ["venv", "pip"]


def test_another_python_or_another_place_starts_anew(checkout):
    checkout.udas()
    (checkout.fake / "version").write_text("3.12.1")
    assert checkout.udas().steps == ["venv", "pip"]
    checkout.path = checkout.path.rename(checkout.path.with_name("moved"))
    assert checkout.udas().steps == ["venv", "pip"]
    (checkout.path / ".venv" / "bin" / "python").unlink()
    assert checkout.udas().steps == ["venv", "pip"]


def test_without_a_suitable_python_there_is_one_line(checkout):
    (checkout.fake / "version").write_text("3.9.0")
    checkout_python = {**checkout.environment, "UDAS_PYTHON": "python3"}
    result = subprocess.run([checkout.path / "bin/udas"], env=checkout_python, text=True, capture_output=True)
    assert result.returncode == 2
    assert result.stderr.startswith("udas: no Python 3.10 to 3.13 found") and result.stderr.count("\n") == 1


def test_bin_test_shares_the_environment_and_hands_arguments_to_pytest(checkout):
    checkout.udas()
    result = checkout.udas("-m", "not slow", launcher="bin/test", cwd="/")
    assert result.steps == [] and result.stdout == "ran: -m pytest -q -m not slow\n"
