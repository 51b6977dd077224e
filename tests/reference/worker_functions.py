"""Functions for workers to run; a worker imports them by this module's name."""

import os
import signal
import time
from pathlib import Path

from interfaceflow.reference.worker_process import IDLE_EXIT_STATUS


def square(item, advance):
    advance()
    return item * item


def fail_on_two(item, advance):
    if item == 2:
        raise ValueError("two is too many")
    return item


def die_on_two(item, advance):
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def exit_on_two(item, advance):
    if item == 2:
        os._exit(3)
    return item


def process_and_threads(item, advance):
    return os.getpid(), os.environ["OMP_NUM_THREADS"]


def sleep(item, advance):
    time.sleep(item)
    return os.getpid()


def noisy(item, advance):
    print("this must not reach the owner's output")  # noqa: T201
    return item


def leave_as_if_idle_once(item, advance):
    marker = Path(item)
    if not marker.exists():
        marker.touch()
        os._exit(IDLE_EXIT_STATUS)
    return "done"
