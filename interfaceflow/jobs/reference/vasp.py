"""VASP by atomate2: Makers whose inputs are those of a level of theory, run under custodian.

Custodian may change how VASP gets to an answer, never which answer: its handlers that exchange the smearing are left
out, and `read_frames` refuses a run in which a tag that changes labels is not what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ase import Atoms
from atomate2 import SETTINGS
from atomate2.vasp.flows.md import MultiMDMaker
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import RelaxMaker, StaticMaker
from atomate2.vasp.jobs.md import MDMaker
from custodian.custodian import ErrorHandler
from custodian.vasp.handlers import (
    FrozenJobErrorHandler,
    MeshSymmetryErrorHandler,
    NonConvergingErrorHandler,
    PositiveEnergyErrorHandler,
    PotimErrorHandler,
    StdErrHandler,
    UnconvergedErrorHandler,
    VaspErrorHandler,
)

from interfaceflow.core.progress import progress_reporter
from interfaceflow.jobs.reference.makers import Frame, Segment
from interfaceflow.reference.vasp.input_set import VaspInputs
from interfaceflow.reference.vasp.potcars import check_potcars, potcar_root
from interfaceflow.reference.vasp.refusals import check_calculation, check_command, check_site_tags
from interfaceflow.reference.vasp.results import read_vasp_frames
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.structures import FreeAxes
from interfaceflow.schemas.vasp import (
    BaderCalculation,
    BandCurvatureCalculation,
    DosCalculation,
    DynamicsCalculation,
    RelaxCalculation,
    StaticCalculation,
    VaspCalculation,
    VaspSettings,
)

# Custodian looks whether VASP has ended, s, and reads its output for errors every so many looks.
_POLL_S: Final = 1.0
_LOOKS_PER_CHECK: Final = 30
# VASP takes seeds below this.
_SEEDS: Final = 900_000_000


@dataclass(frozen=True)
class VaspMakers:
    """The calculations of a VASP level of theory as atomate2 Makers.

    A Maker's ``make(structure, prev_dir=None)`` is one job that writes the inputs into its folder, runs VASP under
    custodian and raises where custodian could not mend what failed. The command is atomate2's (``ATOMATE2_VASP_CMD``
    and ``ATOMATE2_VASP_GAMMA_CMD``, or ``~/.atomate2.yaml``), as are a site's own tags (``VASP_INCAR_UPDATES``, for
    ``NCORE`` and the like); the potentials are pymatgen's (``PMG_VASP_PSP_DIR``).

    Parameters
    ----------
    level
        The level of theory.
    """

    level: LevelOfTheory

    @property
    def settings(self) -> VaspSettings:
        """The VASP settings of the level of theory."""
        assert isinstance(self.level.physics, VaspSettings)
        return self.level.physics

    def check(self, atoms: Atoms, source: str) -> None:
        """Refuse what VASP cannot compute, or computes wrongly, before anything is; note what is doubtful.

        What depends on the calculation (tetrahedron smearing where atoms move) each Maker's job refuses by itself,
        before it starts VASP.

        Raises
        ------
        UserInputError
            If there is no command, a site's tag changes labels, there is no potential or not the right one, or the
            settings are wrong for the cell.
        """
        check_command(SETTINGS.VASP_CMD, "VASP_CMD of atomate2 (ATOMATE2_VASP_CMD)")
        check_site_tags(SETTINGS.VASP_INCAR_UPDATES, "VASP_INCAR_UPDATES of atomate2")
        potcar_root()
        check_potcars(self.settings, sorted(set(atoms.symbols)))
        for note in check_calculation(self.settings, StaticCalculation(), atoms, source):
            progress_reporter().note(note)

    def static(self) -> BaseVaspMaker:
        """Return the Maker of a single point: energies, forces, stress."""
        return self._maker(StaticMaker, StaticCalculation(), (*_ANY_RUN, UnconvergedErrorHandler()))

    def relax(self, free_axes: FreeAxes, force_tolerance_eV_A: float, max_steps: int) -> BaseVaspMaker:
        """Return the Maker of a relaxation; one that used up its steps does not raise."""
        calculation = RelaxCalculation(
            free_axes=free_axes, force_tolerance_eV_A=force_tolerance_eV_A, max_steps=max_steps
        )
        return self.relaxation(calculation)

    def relaxation(self, calculation: RelaxCalculation) -> BaseVaspMaker:
        """Return the Maker of a relaxation that may also end on the change of the energy."""
        # Without the handler of unconverged runs, which would start again from the last structure, without end.
        return self._maker(RelaxMaker, calculation, (*_ANY_RUN, PotimErrorHandler()))

    def molecular_dynamics(self, segment: Segment) -> BaseVaspMaker:
        """Return the Maker of a segment of Langevin dynamics.

        VASP computes one configuration a step, the first of which went in, so one more step gives the last one.
        """
        calculation = DynamicsCalculation(
            ensemble="nvt-langevin",
            timestep_fs=segment.timestep_fs,
            n_steps=segment.n_steps + 1,
            temperature_K=segment.temperature_K,
            friction_per_fs=segment.friction_per_fs,
            seed=segment.seed % _SEEDS,
        )
        return self.dynamics(calculation)

    def dynamics(self, calculation: DynamicsCalculation) -> BaseVaspMaker:
        """Return the Maker of one segment of molecular dynamics."""
        return self._maker(MDMaker, calculation, _ANY_RUN)

    def dynamics_in_segments(self, calculation: DynamicsCalculation, n_segments: int) -> MultiMDMaker:
        """Return the Maker of a flow of segments, each going on from the positions and velocities of the one before.

        A temperature ramp is spread over the segments, and each has its own seed.

        Parameters
        ----------
        calculation
            One segment, with the temperatures of the whole.
        n_segments
            Number of segments.
        """
        first = calculation.temperature_K
        last = first if calculation.final_temperature_K is None else calculation.final_temperature_K
        ends = [first + (last - first) * index / n_segments for index in range(n_segments + 1)]
        segments = [
            calculation.model_copy(
                update={
                    "temperature_K": ends[index],
                    "final_temperature_K": ends[index + 1],
                    "seed": calculation.seed + index,
                }
            )
            for index in range(n_segments)
        ]
        return MultiMDMaker(md_makers=[self.dynamics(segment) for segment in segments])

    def density_of_states(self, calculation: DosCalculation) -> BaseVaspMaker:
        """Return the Maker of a density of states with projections."""
        return self._maker(StaticMaker, calculation, (*_ANY_RUN, UnconvergedErrorHandler()))

    def bader(self) -> BaseVaspMaker:
        """Return the Maker of the densities that Bader charges need."""
        return self._maker(StaticMaker, BaderCalculation(), (*_ANY_RUN, UnconvergedErrorHandler()))

    def band_curvature(self, calculation: BandCurvatureCalculation) -> BaseVaspMaker:
        """Return the Maker of the eigenvalues that effective masses need."""
        return self._maker(StaticMaker, calculation, (*_ANY_RUN, UnconvergedErrorHandler()))

    def read_frames(self, folder: Path) -> list[Frame]:
        """Read the frames of a finished calculation, in order.

        Raises
        ------
        CalculationError
            If the files are absent or cannot be read, or are of another level of theory.
        """
        return [Frame(**vars(frame)) for frame in read_vasp_frames(folder)]

    def _maker(
        self, maker: type[BaseVaspMaker], calculation: VaspCalculation, handlers: tuple[ErrorHandler, ...]
    ) -> BaseVaspMaker:
        custodian: dict[str, Any] = {"polling_time_step": _POLL_S, "monitor_freq": _LOOKS_PER_CHECK}
        # atomate2 asks of an input set no more than that it makes the input files.
        inputs: Any = VaspInputs(self.settings, calculation)
        return maker(
            name=f"vasp {calculation.kind}",
            input_set_generator=inputs,
            run_vasp_kwargs={
                "handlers": handlers,
                "custodian_kwargs": custodian,
                "vasp_cmd": SETTINGS.VASP_CMD,
                "vasp_gamma_cmd": SETTINGS.VASP_GAMMA_CMD,
            },
            # Whether it converged is read frame by frame; an unconverged run is a result, too.
            stop_children_kwargs={"handle_unsuccessful": False},
        )


# Handlers of all runs. None of them changes what is computed, and what slips through is caught by `read_frames`.
_ANY_RUN: Final[tuple[ErrorHandler, ...]] = (
    VaspErrorHandler(),
    MeshSymmetryErrorHandler(),
    NonConvergingErrorHandler(),
    PositiveEnergyErrorHandler(),
    FrozenJobErrorHandler(),
    StdErrHandler(),
)
