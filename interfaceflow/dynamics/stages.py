"""A long run as a chain of stages, each going on from the restart file of the one before.

A stage that has ended leaves a record, written atomically. A chain that was killed starts again with its first stage
that has no record, so going on and starting are the same.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interfaceflow.core.files import write_atomically
from interfaceflow.core.progress import Progress
from interfaceflow.dynamics.frame import LammpsFrame
from interfaceflow.dynamics.guard import (
    Guard,
    clear_guard_files,
    explain_break,
    guard_lines,
    read_breaking_frame,
    read_guard_record,
)
from interfaceflow.dynamics.lammps_run import run_lammps, setup_lines, thermo_lines
from interfaceflow.dynamics.pair_style import PairStyle
from interfaceflow.dynamics.snapshots import Snapshot


class StageRecord(BaseModel):
    """What is remembered of a stage that has ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str = Field(description="Tells what the chain was asked for")
    largest_grade: float = Field(description="Largest extrapolation grade seen")
    n_steps: int = Field(description="MD steps done")
    broke: bool = Field(description="Whether the guard stopped it")
    reason: str | None = Field(description="What stopped it")
    wall_time_s: float = Field(description="Wall time [s]")


def fingerprint_of(start: Atoms, pair_style: PairStyle, guard: Guard, *words: str) -> str:
    """Return a hash of what a chain follows from.

    Parameters
    ----------
    start
        Structure with velocities.
    pair_style, guard
        The potential (by its identity, not the place of its file), and when to stop.
    words
        Everything else that matters.
    """
    state = np.concatenate([start.cell.array, start.positions, start.get_velocities()])
    identity = pair_style.identity or "\n".join(pair_style.commands)
    text = json.dumps([start.get_chemical_formula("reduce"), identity, repr(guard), *words])
    return hashlib.sha256(state.tobytes() + text.encode()).hexdigest()


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    name
        Letters, digits and underscores; its files are called so.
    read_command
        ``read_data FILE`` or ``read_restart FILE``.
    first_step, n_steps
        MD step it begins at, and steps it has.
    body
        Commands of its ensemble and its output.
    thermo_every
        Steps between two lines of thermodynamic output.
    """

    name: str
    read_command: str
    first_step: int
    n_steps: int
    body: tuple[str, ...]
    thermo_every: int

    @property
    def restart(self) -> str:
        """Name of the restart file of its end."""
        return f"{self.name}.restart"


@dataclass(frozen=True)
class Chain:
    """What all stages of a run share.

    Attributes
    ----------
    folder
        Folder of its own for all files.
    start
        Structure in LAMMPS' frame.
    pair_style, guard
        The potential, and when to stop.
    timestep_fs
        Time step [fs].
    n_ranks
        MPI ranks.
    fingerprint
        Tells what the chain was asked for: records of another chain in the same folder are not believed.
    progress
        Is advanced by the MD steps done.
    """

    folder: Path
    start: Atoms
    pair_style: PairStyle
    guard: Guard
    timestep_fs: float
    n_ranks: int
    fingerprint: str
    progress: Progress

    def run(self, stage: Stage) -> StageRecord:
        """Run a stage, unless it has ended before, and return its record.

        Raises
        ------
        ExternalProgramError
            If LAMMPS failed.
        """
        record = self._believed_record(stage)
        if record is not None:
            self.progress.advance(stage.n_steps)
            return record
        clear_guard_files(self.folder, stage.name)
        started = time.monotonic()
        run_lammps(
            self._script(stage),
            self.folder,
            stage.name,
            program=self.pair_style.program,
            n_ranks=self.n_ranks,
            first_step=stage.first_step,
            progress=self.progress,
        )
        breaking = self.breaking_snapshot(stage)
        record = StageRecord(
            fingerprint=self.fingerprint,
            largest_grade=read_guard_record(self.folder, stage.name).largest_grade,
            n_steps=stage.n_steps if breaking is None else breaking.step - stage.first_step,
            broke=breaking is not None,
            reason=None if breaking is None else explain_break(self.guard, breaking, self.start, self.timestep_fs),
            wall_time_s=time.monotonic() - started,
        )
        write_atomically(self._record_path(stage), record.model_dump_json())
        self.progress.note(_describe(stage.name, record, self.timestep_fs))
        return record

    def breaking_snapshot(self, stage: Stage) -> Snapshot | None:
        """Return the frame at which the guard stopped a stage, if it did."""
        return read_breaking_frame(self.folder, stage.name, self.start, LammpsFrame.identity())

    def _believed_record(self, stage: Stage) -> StageRecord | None:
        try:
            record = StageRecord.model_validate_json(self._record_path(stage).read_text())
        except (OSError, ValidationError):
            return None
        return record if record.fingerprint == self.fingerprint else None

    def _script(self, stage: Stage) -> list[str]:
        return [
            *setup_lines(self.pair_style, stage.read_command, timestep_fs=self.timestep_fs, n_ranks=self.n_ranks),
            *stage.body,
            *guard_lines(self.guard, self.pair_style, self.start, stage.name),
            *thermo_lines(stage.thermo_every),
            f"run {stage.n_steps}",
            f"write_restart {stage.restart}",
        ]

    def _record_path(self, stage: Stage) -> Path:
        return self.folder / f"{stage.name}.json"


def _describe(name: str, record: StageRecord, timestep_fs: float) -> str:
    """Return what a user wants to know of a stage: length, rate, grade, and what stopped it."""
    length_ps = record.n_steps * timestep_fs / 1000.0
    rate = 86.4 * length_ps / record.wall_time_s  # ns a day
    grade = f"largest grade {record.largest_grade:.2f}"
    stopped = f"; {record.reason}" if record.reason else ""
    return f"{name}: {length_ps:g} ps at {rate:.1f} ns/day, {grade}{stopped}"
