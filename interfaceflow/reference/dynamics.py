"""Short reference molecular dynamics, whose frames are labelled by the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms, units

from interfaceflow.core.errors import CalculationError
from interfaceflow.core.labelled import LabelledConfiguration
from interfaceflow.reference.checkpoint import SamplingCheckpoint
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.labels import take_label
from interfaceflow.reference.levels_of_theory import calculator_of
from interfaceflow.reference.workers import Advance
from interfaceflow.schemas.level_of_theory import LevelOfTheory

FRICTION_PER_FS: Final = 0.01
LARGEST_MOVE_A: Final = 0.5
LARGEST_HEATING: Final = 10.0


@dataclass(frozen=True)
class SamplingTask:
    """A run to be done.

    Attributes
    ----------
    atoms
        Relaxed, or strained, periodic configuration to start from.
    temperature_K
        Temperature, K.
    timestep_fs
        Time step, fs.
    n_steps
        Steps from which frames are kept, after heating and equilibration.
    sample_every
        A frame is kept every so many of them, the first after as many.
    seed
        Seed of velocities and thermostat.
    level
        Level of theory.
    name
        Name of the run, and so of the trajectory.
    ramp_steps
        Steps in which the thermostat goes from ``ramp_from_K`` to the temperature, before all else.
    ramp_from_K
        Temperature at which heating starts, K.
    equilibration_steps
        Steps at temperature before those from which frames are kept.
    checkpoint
        File, of this task alone, in which the run is stored on the way, to go on from after a stop.
    """

    atoms: Atoms
    temperature_K: float
    timestep_fs: float
    n_steps: int
    sample_every: int
    seed: int
    level: LevelOfTheory
    name: str
    ramp_steps: int = 0
    ramp_from_K: float = 100.0
    equilibration_steps: int = 0
    checkpoint: Path | None = None

    @property
    def n_samples(self) -> int:
        """Number of frames the run gives."""
        return self.n_steps // self.sample_every

    @property
    def n_steps_in_all(self) -> int:
        """Number of steps with heating and equilibration."""
        return self.ramp_steps + self.equilibration_steps + self.n_steps

    def thermostat_K(self, step: int) -> float:
        """Return the thermostat's temperature in a step, counted from 1, K; at 0, that at which the run starts."""
        if step >= self.ramp_steps:
            return self.temperature_K
        return self.ramp_from_K + (self.temperature_K - self.ramp_from_K) * step / self.ramp_steps

    def is_sampled(self, step: int) -> bool:
        """Tell whether the frame after a step, counted from 1, is kept."""
        sampled_steps = step - self.ramp_steps - self.equilibration_steps
        return sampled_steps > 0 and sampled_steps % self.sample_every == 0


def sample_trajectory(task: SamplingTask, advance: Advance) -> list[LabelledConfiguration]:
    """Run Langevin dynamics at constant volume and keep labelled frames; one unit of progress for each step.

    A run that was stopped goes on from the last frame it kept, or half a minute before the stop, with its velocities
    and the thermostat's next random number.

    Velocities start as `heat` gives them. Langevin dynamics thermalises every atom by itself, which short runs need;
    nothing about transport may be read from it.

    Returns
    -------
    list of LabelledConfiguration
        ``task.n_samples`` frames in order of time; their labels are not checked.

    Raises
    ------
    UserInputError
        If the engine cannot compute the configuration.
    CalculationError
        If atoms fly apart: energies that are not finite, a move of more than `LARGEST_MOVE_A` in one step, or a
        kinetic temperature of more than `LARGEST_HEATING` times what was asked for.
    """
    from ase.constraints import FixCom
    from ase.md.langevin import Langevin

    check_calculation(task.level, task.atoms, task.name)
    generator = np.random.default_rng(task.seed)
    atoms = task.atoms.copy()
    atoms.set_constraint()
    checkpoint = None if task.checkpoint is None else SamplingCheckpoint(task.checkpoint)
    state = None if checkpoint is None else checkpoint.read()
    done = 0 if state is None else state.step
    if state is None:
        heat(atoms, task.thermostat_K(0), generator)
    else:
        atoms.positions = state.positions
        atoms.set_momenta(state.momenta)
        generator.bit_generator.state = state.generator_state
        advance(done)
    atoms.set_constraint(FixCom())
    atoms.calc = calculator_of(task.level)
    thermostat: dict[str, Any] = {"temperature_K": task.thermostat_K(done), "friction": FRICTION_PER_FS / units.fs}
    dynamics = Langevin(atoms, task.timestep_fs * units.fs, fixcm=False, rng=generator, **thermostat)
    frames = [] if state is None else state.frames
    for step in range(done + 1, task.n_steps_in_all + 1):
        if step <= task.ramp_steps:
            dynamics.set_temperature(temperature_K=task.thermostat_K(step))
        dynamics.run(1)
        _check_together(atoms, step, task)
        if task.is_sampled(step):
            frames.append(_label(atoms, step, task))
            if checkpoint is not None:
                checkpoint.write(step, atoms, generator, frames[-1])
        if checkpoint is not None and checkpoint.is_due():
            checkpoint.write(step, atoms, generator)
        advance()
    return frames


def heat(atoms: Atoms, temperature_K: float, generator: np.random.Generator) -> None:
    """Give atoms that are at rest in a minimum their velocities, without a drift of the whole.

    They are those of twice the temperature: within a vibration half of that becomes potential energy, and a short run
    is at its temperature from then on.
    """
    from ase.md.velocitydistribution import Stationary, thermalize_momenta

    thermalize_momenta(atoms, 2 * temperature_K, exact_temperature=len(atoms) > 1, rng=generator)
    Stationary(atoms)


def _label(atoms: Atoms, step: int, task: SamplingTask) -> LabelledConfiguration:
    return take_label(
        atoms,
        physics_hash=task.level.physics_hash,
        source=f"{task.name}, step {step}",
        trajectory=task.name,
        temperature_K=task.temperature_K,
    )


def _check_together(atoms: Atoms, step: int, task: SamplingTask) -> None:
    """Raise if the atoms fly apart."""
    move = float(np.linalg.norm(atoms.get_velocities(), axis=1).max()) * task.timestep_fs * units.fs
    temperature = float(atoms.get_temperature())
    finite = np.isfinite([atoms.get_potential_energy(), move, temperature]).all()
    if finite and move <= LARGEST_MOVE_A and temperature <= LARGEST_HEATING * task.temperature_K:
        return
    raise CalculationError(
        f"{task.name}: the atoms fly apart at step {step}: kinetic temperature {temperature:.0f} K for "
        f"{task.temperature_K:.0f} K asked, fastest atom {move:.2f} Å in a step of {task.timestep_fs:g} fs; use a "
        "shorter time step, a lower temperature or less strain"
    )
