"""Children end with their owner, with their neighbours' failure, and otherwise on their own."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from interfaceflow.core.child_process import run_child, run_side_by_side
from interfaceflow.core.errors import ExternalProgramError


def child(folder, code, name="child"):
    command = [sys.executable, "-c", code]
    return run_child(command, folder=folder, environment=dict(os.environ), output=folder / f"{name}.out")


def test_status_and_output_are_kept(tmp_path):
    assert child(tmp_path, "import os; print(os.getcwd()); raise SystemExit(3)") == 3
    assert (tmp_path / "child.out").read_text() == f"{tmp_path}\n"


def test_child_killed_by_a_signal_says_so(tmp_path):
    assert child(tmp_path, "import os; os.kill(os.getpid(), 9)") == -9


def test_child_finds_nothing_to_read(tmp_path):
    assert (
        child(tmp_path, "import os, stat; raise SystemExit(len(os.read(0, 1)) + stat.S_ISCHR(os.fstat(0).st_mode))")
        == 0
    )


def test_results_keep_their_order(tmp_path):
    tasks = [partial(child, tmp_path, f"import time; time.sleep({0.3 - 0.1 * n}); raise SystemExit({n})", f"c{n}")
             for n in range(3)]  # fmt: skip
    assert run_side_by_side(tasks, 2) == [0, 1, 2]


def test_failure_ends_the_neighbours(tmp_path):
    def fail():
        raise ExternalProgramError("the one beside")

    started = time.monotonic()
    with pytest.raises(ExternalProgramError, match="the one beside"):
        run_side_by_side([partial(child, tmp_path, "import time; time.sleep(60)"), fail], 2)
    assert time.monotonic() - started < 10


def test_child_dies_with_its_owner(tmp_path):
    code = (
        "import os, pathlib, sys; from interfaceflow.core.child_process import run_child;"
        "folder = pathlib.Path(sys.argv[1]);"
        "run_child([sys.executable, '-c', 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'],"
        "folder=folder, environment=dict(os.environ), output=folder / 'pid')"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    pid = _wait_for(lambda: (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text().strip())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    _wait_for(lambda: not _is_alive(int(pid)))


def _wait_for(condition):
    until = time.monotonic() + 20
    while not (value := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return value


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
