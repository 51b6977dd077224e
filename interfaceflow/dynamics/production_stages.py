"""The stages of a production run, and how long each is.

1. ``ramp``: from a low temperature to the target, the normal stress relaxed; Langevin dynamics
2. ``equilibration``: the same at the target
3. ``length``: the normal length goes smoothly to its mean over the second half of the equilibration
4. ``segment_000``, ``segment_001``, ...: production at constant cell in a Nosé-Hoover chain, without random forces,
   which would change how far atoms get
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from interfaceflow.dynamics.ensembles import langevin_lines, nose_hoover_line
from interfaceflow.dynamics.stages import Chain, Stage
from interfaceflow.dynamics.thermo import Thermo, read_thermo
from interfaceflow.schemas.settings import ProductionSettings

LOWEST_SHARE: Final = 0.1

_LENGTH_SHARE: Final = 0.2


@dataclass(frozen=True)
class ProductionSteps:
    """The lengths of the stages in MD steps.

    Attributes
    ----------
    ramp, equilibration, length
        The stages before production.
    frame
        Steps between stored frames.
    segments
        The segments, each a whole number of frame intervals.
    """

    ramp: int
    equilibration: int
    length: int
    frame: int
    segments: tuple[int, ...]

    @classmethod
    def of(cls, settings: ProductionSettings) -> ProductionSteps:
        """Count the steps."""

        def steps(time_ps: float) -> int:
            return max(1, round(1000.0 * time_ps / settings.timestep_fs))

        frame = steps(settings.frame_interval_ps)
        n_frames = max(1, round(settings.production_ps / settings.frame_interval_ps))
        n_in_segment = max(1, round(settings.segment_ps / settings.frame_interval_ps))
        segments = [min(n_in_segment, n_frames - done) * frame for done in range(0, n_frames, n_in_segment)]
        equilibration = steps(settings.equilibration_ps)
        length = max(1, round(_LENGTH_SHARE * equilibration))
        return cls(steps(settings.ramp_ps), equilibration, length, frame, tuple(segments))

    @property
    def total(self) -> int:
        """All steps of the run."""
        return self.ramp + self.equilibration + self.length + sum(self.segments)


def production_stages(chain: Chain, steps: ProductionSteps, temperature_K: float, seed: int) -> Iterator[Stage]:
    """Yield the stages in order; a stage is made when the ones before it have ended."""

    def stage(name: str, read_command: str, first_step: int, n_steps: int, body: tuple[str, ...]) -> Stage:
        return Stage(name, read_command, first_step, n_steps, body, _print_every(n_steps))

    heat = langevin_lines(LOWEST_SHARE * temperature_K, temperature_K, seed=seed, barostat="normal")
    ramp = stage("ramp", "read_data start.data", 0, steps.ramp, heat)
    yield ramp
    hold = langevin_lines(temperature_K, temperature_K, seed=seed + 1, barostat="normal")
    equilibration = stage("equilibration", f"read_restart {ramp.restart}", steps.ramp, steps.equilibration, hold)
    yield equilibration
    length = _mean_length(read_thermo(chain.folder / f"{equilibration.name}.log"))
    deform = (
        *langevin_lines(temperature_K, temperature_K, seed=seed + 2),
        f"fix deform all deform 1 z final 0.0 {length:.12g} remap x units box",
    )
    first_step = steps.ramp + steps.equilibration
    impose = stage("length", f"read_restart {equilibration.restart}", first_step, steps.length, deform)
    yield impose
    yield from _segment_stages(steps, impose, nose_hoover_line(temperature_K, chain.timestep_fs))


def _segment_stages(steps: ProductionSteps, before: Stage, thermostat: str) -> Iterator[Stage]:
    first_step = 0
    for index, n_steps in enumerate(steps.segments):
        name = segment_name(index)
        body = (
            *(("reset_timestep 0", "velocity all zero linear") if index == 0 else ()),
            thermostat,
            f"dump trajectory all dcd {steps.frame} {name}.dcd",
            f"dump_modify trajectory unwrap yes delay {first_step + (index > 0)}",
        )
        stage = Stage(
            name, f"read_restart {before.restart}", first_step, n_steps, body, min(steps.frame, _print_every(n_steps))
        )
        yield stage
        before, first_step = stage, first_step + n_steps


def segment_name(index: int) -> str:
    """Return the name of the files of a segment."""
    return f"segment_{index:03d}"


def _mean_length(thermo: Thermo) -> float:
    """Return the mean normal length over the second half of a run [Å]."""
    lengths = thermo.column("Lz")
    return float(lengths[len(lengths) // 2 :].mean())


def _print_every(n_steps: int) -> int:
    """Return the steps between two printed lines: about a hundred of them."""
    return max(1, n_steps // 100)
