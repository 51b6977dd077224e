"""One run of LAMMPS: a child process, its log, its errors."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from interfaceflow.core.child_process import run_child
from interfaceflow.core.errors import ExternalProgramError, UserInputError
from interfaceflow.core.files import write_atomically
from interfaceflow.core.lammps_environment import child_environment, lmp_path, mpiexec_path
from interfaceflow.core.progress import Progress, SilentProgress
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.thermo import last_step

_RANKS_ACROSS_NORMAL: Final = 8
_FINISHED: Final = "Total wall time"
_FLEW_APART: Final = ("Lost atoms", "out of range", "Non-numeric", "too far from equilibrium")


class AtomsLostError(ExternalProgramError):
    """LAMMPS stopped because the atoms flew apart."""


def run_lammps(
    script: Sequence[str],
    folder: Path,
    name: str,
    *,
    program: Sequence[str] = (),
    n_ranks: int = 1,
    first_step: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Run an input script to its end and return its log file.

    Parameters
    ----------
    script
        Lines of the input script.
    folder
        Existing folder that takes ``<name>.in``, ``<name>.log``, ``<name>.out`` and what the script writes.
    name
        Name of these files.
    program
        Words that start the program; the installed ``lmp`` if empty.
    n_ranks
        MPI ranks.
    first_step
        MD step the script's run begins at.
    progress
        Is advanced by the MD steps done.

    Raises
    ------
    ExternalProgramError
        If LAMMPS ended with an error; the text quotes it. Atoms that flew apart raise `AtomsLostError`.
    UserInputError
        If LAMMPS or MPI is not installed, or the folder cannot be written.
    """
    log, output, source = (folder / f"{name}.{kind}" for kind in ("log", "out", "in"))
    log.unlink(missing_ok=True)
    write_atomically(source, "\n".join(script) + "\n")
    command: list[str | Path] = [*(program or (str(lmp_path()),)), "-in", source.name, "-log", log.name]
    if n_ranks > 1:
        command = [mpiexec_path(), "-np", str(n_ranks), *command]
    meter = _StepMeter(log, first_step, progress or SilentProgress())
    status = run_child(command, folder=folder, environment=child_environment(), output=output, watch=meter.update)
    meter.update()
    if status != 0 or not log.is_file() or _FINISHED not in log.read_text(errors="replace"):
        raise _error(log, output, status)
    return log


def setup_lines(pair_style: PairStyle, read_command: str, *, timestep_fs: float, n_ranks: int = 1) -> list[str]:
    """Return the beginning of every script: units, structure, potential, neighbours, time step.

    Parameters
    ----------
    pair_style
        The potential.
    read_command
        ``read_data FILE`` or ``read_restart FILE``.
    timestep_fs
        Time step [fs].
    n_ranks
        MPI ranks; a few ranks share the cell across the normal, so that each has a part of both crystals.
    """
    return [
        "units metal",
        "atom_style atomic",
        *pair_style.preamble,
        "boundary p p p",
        f"processors * * {1 if n_ranks <= _RANKS_ACROSS_NORMAL else '*'}",
        read_command,
        *pair_style.commands,
        "neighbor 1.0 bin",
        "neigh_modify every 5 delay 0 check yes",
        f"timestep {timestep_fs / 1000.0:.10g}",
    ]


def thermo_lines(every: int) -> list[str]:
    """Return the commands that print step, temperature, energies, pressures [bar] and the normal length [Å].

    Parameters
    ----------
    every
        Steps between two lines.
    """
    return [
        f"thermo {every}",
        "thermo_style custom step temp pe etotal econserve press pzz lz",
        "thermo_modify flush yes",
    ]


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse a folder that cannot be written or whose disk has too little room, before anything is run.

    Parameters
    ----------
    folder
        Where the run will write.
    n_bytes
        About what it will write.

    Raises
    ------
    UserInputError
        If the folder is read-only, or the disk is too full.
    """
    probe = folder / ".room"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserInputError(
            f"{folder}: cannot be written ({error.strerror}); run from a folder that you may write to"
        ) from error
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise UserInputError(
            f"{folder}: {free / 1e6:.0f} MB are free and this run will write about {n_bytes / 1e6:.0f} MB; "
            "free some space, shorten the run, or store frames less often (frame_interval_ps)"
        )


class _StepMeter:
    """Reads on in a growing log file and reports the steps done."""

    def __init__(self, log: Path, first_step: int, progress: Progress) -> None:
        self._log = log
        self._done = first_step
        self._progress = progress
        self._read_until = 0

    def update(self) -> None:
        if not self._log.is_file():
            return
        with self._log.open("rb") as stream:
            stream.seek(max(self._read_until - 500, 0))
            text = stream.read().decode(errors="replace")
            self._read_until = stream.tell()
        step = last_step(text)
        if step is not None and step > self._done:
            self._progress.advance(step - self._done)
            self._done = step


def _error(log: Path, output: Path, status: int) -> ExternalProgramError:
    """Return an error that says what went wrong, in LAMMPS' words, and what to do about it."""
    texts = [path.read_text(errors="replace") for path in (log, output) if path.is_file()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    errors = [line for line in lines if line.startswith("ERROR")]
    quoted = errors[0] if errors else (lines[-1] if lines else "no output")
    kind, advice = ExternalProgramError, "the log has the command it came from"
    if any(words in quoted for words in _FLEW_APART):
        kind = AtomsLostError
        advice = (
            "the atoms flew apart: the potential does not hold here, or the time step is too long. "
            "Try timestep_fs 1, or let active learning run longer at this temperature"
        )
    elif "Unrecognized pair style" in quoted or "Unknown pair style" in quoted:
        advice = "the pair style's plugin was not found; `interfaceflow doctor` says what is missing"
    elif not errors and status < 0:
        advice = f"it was ended by signal {-status}"
    return kind(f"LAMMPS stopped with exit status {status}: {quoted} (log: {log}); {advice}")
