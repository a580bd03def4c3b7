"""Commands in child processes: their output and exit codes, and that they end with their parent."""

import os
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


def test_output_goes_to_the_descriptor_and_the_exit_code_comes_back():
    code = """
from udas_tf import processes
asked = [(["--help"], None), (["train", "--help"], 2), (["train", "--stage=student"], None)]
begun = [processes.begin(arguments, stdout=stdout) for arguments, stdout in asked]
for process in begun:
    process.join()
print([process.exitcode for process in begun])
"""
    process = script(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    printed, errors = process.communicate(timeout=120)
    assert "usage: udas COMMAND" in printed and printed.endswith("[0, 0, 2]\n")
    assert "usage: udas train" in errors and "student needs --round=N" in errors
    assert "usage: udas train" not in printed


def test_output_goes_where_this_process_prints_at_that_moment(tmp_path):
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


def test_a_long_path_of_the_temporary_directory_is_no_hindrance(tmp_path):
    """A socket's path has 107 characters at most. A new interpreter takes the place of the fork server."""
    code = """
from udas_tf import processes
assert processes.load_ahead().get_start_method() == "spawn"
process = processes.begin(["report", "--help"], stdout=2)
print(processes.wait(process))
"""
    longer = tmp_path / ("x" * 60)
    longer.mkdir()
    process = script(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(longer)})
    printed, errors = process.communicate(timeout=120)
    assert (printed, process.returncode) == ("0\n", 0) and "usage: udas report" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process is a new interpreter")
def test_processes_start_with_tensorflow_loaded():
    code = """
from udas_tf import processes
context = processes.load_ahead()
process = context.Process(target=exec, args=("import sys; sys.exit('udas_tf.runs.pool' in sys.modules)", {}))
process.start()
print(processes.wait(process))
"""
    process = script(code, stdout=subprocess.PIPE)
    assert process.communicate(timeout=120)[0] == "1\n"


def test_exit_codes_are_right_in_several_threads():
    """Python loses the exit code of a process that ends while another one starts, unless these take turns."""
    code = """
import concurrent.futures, multiprocessing
from udas_tf import processes

def one(number):
    process = multiprocessing.get_context("forkserver").Process(target=exit, args=(number % 3,))
    with processes._one_at_a_time:
        process.start()
    return processes.wait(process)

with concurrent.futures.ThreadPoolExecutor(4) as threads:
    print(list(threads.map(one, range(60))))
"""
    process = script(code, stdout=subprocess.PIPE)
    assert process.communicate(timeout=120)[0] == f"{[number % 3 for number in range(60)]}\n"


def test_an_interrupt_of_this_process_alone_ends_the_others(tmp_path):
    code = f"""
import signal
from udas_tf import processes
signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells ignore for what they run in the background
processes.GRACE = 0.5
process = processes.begin(["run", "--config={TINY}", "--workdir={tmp_path}"], threads=1)
print(process.pid, flush=True)
processes.wait(process)
"""
    parent = script(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    wait_for(lambda: (tmp_path / "data/prepared.json").exists())
    parent.send_signal(signal.SIGINT)
    _, errors = parent.communicate(timeout=60)  # a loaded machine takes its time
    assert errors.rstrip().endswith("KeyboardInterrupt") and not lives(pid)


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        (130, KeyboardInterrupt, None),
        (2, UserError, "student_1 ended with exit code 2; it has said why above"),
        (1, RuntimeError, "student_1 ended with exit code 1; its traceback is above"),
        (-9, UserError, "student_1 was ended by SIGKILL, .* --config.jobs=1"),
    ],
)
def test_a_failure_is_raised_in_the_parent(code, error, message):
    processes.check("student_1", 0)
    with pytest.raises(error, match=message):
        processes.check("student_1", code)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_killed_process_leaves_none_behind(tmp_path):
    code = f"""
from udas_tf import processes
process = processes.begin(["run", "--config={TINY}", "--workdir={tmp_path}"], threads=1)
print(process.pid, flush=True)
process.join()
"""
    parent = script(code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    pid = int(parent.stdout.readline())
    wait_for(lambda: (tmp_path / "data/prepared.json").exists())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
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
