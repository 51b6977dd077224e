import io
import os
import pty
import subprocess
import sys

from rich.console import Console
from rich.progress import Progress

from interfaceflow.cli import progress
from interfaceflow.cli.progress import BarObserver, TextObserver
from interfaceflow.launch.jobs_of_flow import JobState

JOB = JobState(1, "uuid", 1, "relax bulk", "READY", 0, False, None, None, None, None, (), "cpu")

ON_A_TERMINAL = """
from interfaceflow.cli.progress import shown_progress
from interfaceflow.core.progress import progress_reporter
import tests_job
with shown_progress() as observer:
    observer.job_started(tests_job.JOB, 0, 3)
    progress_reporter().start(4, "label", "Labelling")
    for _ in range(4):
        progress_reporter().advance()
    observer.note("a remark")
    observer.job_ended(tests_job.JOB, 2.0, "it [broke]")
"""


def test_lines_in_a_pipe():
    stream = io.StringIO()
    observer = TextObserver(stream)
    observer.job_started(JOB, 2, 9)
    observer.job_ended(JOB, 75.0, None)
    observer.job_ended(JOB, 1.0, "no match")
    assert stream.getvalue().splitlines() == [
        "[3/9] relax bulk",
        "      relax bulk: done in 1 min 15 s",
        "      relax bulk: FAILED after 1.0 s: no match",
    ]


def test_a_bar_with_and_without_a_known_total(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", iter([0.0, 10.0, 10.0, 12.0, 14.0, 20.0, 20.0]).__next__)
    bars = Progress(console=Console(file=stream, force_terminal=True), auto_refresh=False)
    observer = BarObserver(bars)
    observer.job_started(JOB, 0, 3)
    observer.start(10, "step", "MD")
    observer.advance(5)
    assert bars.tasks[0].fields["counted"] == "5/10 steps, 2.5/s"
    observer.status("loss 0.5")
    observer.advance(0)
    assert bars.tasks[0].fields["counted"].endswith("/s, loss 0.5")
    observer.start(None, "round", "Rounds")
    assert bars.tasks[0].fields["counted"] == "0 rounds"


def test_a_terminal_gets_a_bar_and_the_remarks(tmp_path):
    (tmp_path / "tests_job.py").write_text(
        "from interfaceflow.launch.jobs_of_flow import JobState\n"
        "JOB = JobState(1, 'uuid', 1, 'relax bulk', 'READY', 0, False, None, None, None, None, (), 'cpu')\n"
    )
    owner, terminal = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], stderr=terminal, env=environment)
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(owner, 4096)
        except OSError:  # the terminal is closed when the process ends
            break
    os.close(owner)
    assert process.wait() == 0, shown
    text = shown.decode()
    assert "Labelling" in text
    assert "4/4 labels" in text
    assert "a remark" in text
    assert "it [broke]" in text
