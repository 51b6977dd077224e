import os
import subprocess
import sys

import pytest

from interfaceflow.core.errors import ProjectLockedError
from interfaceflow.launch.lock import network_filesystem, project_lock

HOLD = """
import sys, time
from pathlib import Path
from interfaceflow.launch.lock import project_lock
with project_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_who_holds_the_project(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline().strip() == "held"
    with (
        pytest.raises(ProjectLockedError, match=f"process {holder.pid} on .*kill {holder.pid}"),
        project_lock(tmp_path),
    ):
        pass
    holder.kill()
    holder.communicate()
    with project_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    ready, tell_ready = os.pipe()
    wait, let_go = os.pipe()
    with project_lock(tmp_path):
        child = os.fork()
        if child == 0:
            os.close(let_go)
            os.write(tell_ready, b"1")
            os.read(wait, 1)
            os._exit(0)
        os.read(ready, 1)
    with project_lock(tmp_path):
        pass
    for descriptor in (ready, tell_ready, wait, let_go):
        os.close(descriptor)
    os.waitpid(child, 0)


def test_a_local_folder_is_not_on_a_network_filesystem(tmp_path):
    assert network_filesystem(tmp_path) is None
