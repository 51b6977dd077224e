import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interfaceflow.reference.workers import WorkerFailure, map_in_workers, stop_workers

sys.path.insert(0, str(Path(__file__).parent))
import worker_functions as functions


@pytest.fixture(autouse=True, scope="module")
def _no_workers_left():
    yield
    stop_workers()


def run(function, items, n_workers=2, **options):
    return map_in_workers(function, items, n_workers=n_workers, size=lambda item: item, **options)


class Counter:
    def __init__(self):
        self.n = 0

    def start(self, total, unit, description): ...
    def note(self, text): ...

    def advance(self, n=1):
        self.n += n


def test_results_keep_the_order_of_the_items_and_progress_is_counted():
    counter, seen = Counter(), []
    results = run(functions.square, [1, 5, 3], progress=counter, on_result=lambda i, result: seen.append((i, result)))
    assert results == [1, 25, 9]
    assert counter.n == 3
    assert sorted(seen) == [(0, 1), (1, 25), (2, 9)]


def test_the_largest_item_is_started_first():
    seen = []
    run(functions.square, [1, 5, 3], n_workers=1, on_result=lambda i, result: seen.append(i))
    assert seen == [1, 2, 0]


def test_no_items_need_no_worker():
    assert run(functions.square, []) == []


def test_workers_live_on_and_use_one_thread():
    first = run(functions.process_and_threads, [1], n_workers=1)[0]
    second = run(functions.process_and_threads, [1], n_workers=1)[0]
    assert first == second
    assert first[1] == "1"
    assert first[0] != os.getpid()


def test_a_failing_item_costs_only_itself():
    results = run(functions.fail_on_two, [1, 2, 3])
    assert (results[0], results[2]) == (1, 3)
    assert results[1].reason == "ValueError: two is too many"
    assert "fail_on_two" in results[1].details


@pytest.mark.parametrize(
    ("function", "message"), [(functions.die_on_two, "killed by SIGKILL"), (functions.exit_on_two, "exit status 3")]
)
def test_a_dying_worker_costs_only_its_item(function, message):
    results = run(function, [1, 2, 3, 4])
    assert [results[i] for i in (0, 2, 3)] == [1, 3, 4]
    assert isinstance(results[1], WorkerFailure)
    assert message in results[1].reason


def test_an_idle_worker_that_died_is_replaced():
    pid = run(functions.process_and_threads, [1], n_workers=1)[0][0]
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert run(functions.square, [4], n_workers=1) == [16]


def test_an_item_sent_to_a_worker_that_was_just_leaving_is_not_lost(tmp_path):
    items = [str(tmp_path / "marker")]
    assert map_in_workers(functions.leave_as_if_idle_once, items, n_workers=1, size=len) == ["done"]


def test_workers_print_nothing(capfd):
    run(functions.noisy, [1, 2])
    assert capfd.readouterr().out == ""


OWNER = """
import sys
sys.path.insert(0, {folder!r})
import worker_functions
from interfaceflow.reference.workers import map_in_workers
print(map_in_workers(worker_functions.process_and_threads, [1, 2], n_workers=2, size=float), flush=True)
map_in_workers(worker_functions.sleep, [60, 60], n_workers=2, size=float)
"""


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_die_with_their_owner(blow):
    script = OWNER.format(folder=str(Path(__file__).parent))
    owner = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with owner:
        pids = {pid for pid, _ in eval(owner.stdout.readline())}
        time.sleep(0.2)
        assert pids and all(is_running(pid) for pid in pids)
        owner.send_signal(blow)
        owner.wait(timeout=10)
    deadline = time.monotonic() + 5
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in pids)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
