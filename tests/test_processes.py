"""Commands in processes of their own: what comes of them, and that they end with the one that began them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from udas_tf import processes
from udas_tf.errors import UserError

CHECKOUT = Path(__file__).parents[1]
TINY = CHECKOUT / "tests/end_to_end/tiny.py"


def script(code: str, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code], cwd=CHECKOUT, text=True, **options)


def test_output_goes_where_it_is_asked_for_and_the_exit_code_tells():
    code = """
from udas_tf import processes
asked = [(["--help"], None), (["train", "--help"], 2), (["train", "--stage=student"], None)]
begun = [processes.begin(arguments, stdout=stdout) for arguments, stdout in asked]
for process in begun:
    process.join()
print([process.exitcode for process in begun])
"""
    process = script(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, told = process.communicate(timeout=120)
    assert "usage: udas COMMAND" in printed and printed.endswith("[0, 0, 2]\n")
    assert "usage: udas train" in told and "--stage=student needs --round=N" in told
    assert "usage: udas train" not in printed


def test_output_goes_where_this_process_prints_by_then(tmp_path):
    code = """
import os, sys
from udas_tf import processes
for name in sys.argv[1:]:
    os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), 1)
    process = processes.begin([os.path.basename(name), "--help"])
    process.join()
"""
    files = [str(tmp_path / name) for name in ("train", "report")]
    assert subprocess.run([sys.executable, "-c", code, *files], cwd=CHECKOUT, check=True).returncode == 0
    for file in files:
        (usage, *_) = Path(file).read_text().splitlines()
        assert usage.startswith(f"usage: udas {Path(file).name} ")


@pytest.mark.parametrize(("code", "error"), [(130, KeyboardInterrupt), (2, UserError), (-9, UserError)])
def test_a_failure_is_raised_here(code, error):
    with pytest.raises(error):
        processes.check("student_1", code)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_killed_process_leaves_none_behind(tmp_path):
    code = f"""
from udas_tf import processes
process = processes.begin(["run", "--config={TINY}", "--workdir={tmp_path}"], threads=1)
print(process.pid, flush=True)
process.join()
"""
    beginner = script(code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    pid = int(beginner.stdout.readline())
    wait_for(lambda: (tmp_path / "data/manifest.json").exists())
    beginner.send_signal(signal.SIGKILL)
    beginner.wait()
    beginner.stdout.close()
    wait_for(lambda: not lives(pid))


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
