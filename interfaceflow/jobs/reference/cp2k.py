"""CP2K by atomate2: Makers of single points, relaxations and molecular dynamics.

The inputs are those of atomate2's generator with the level of theory's settings put in; custodian watches the program
with its handlers for CP2K.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from ase import Atoms
from atomate2.cp2k.jobs.base import BaseCp2kMaker
from atomate2.cp2k.sets.core import StaticSetGenerator
from custodian.cp2k.handlers import (
    AbortHandler,
    DivergingScfErrorHandler,
    FrozenJobErrorHandler,
    StdErrHandler,
    UnconvergedScfErrorHandler,
)
from custodian.cp2k.jobs import Cp2kJob
from custodian.custodian import Custodian, ErrorHandler
from jobflow.core.job import job
from jobflow.core.maker import Maker
from numpy.typing import NDArray
from pymatgen.core.structure import Structure
from pymatgen.io.cp2k.inputs import GaussianTypeOrbitalBasisSet, GthPotential, Keyword, KeywordList, Section
from pymatgen.io.vasp.inputs import Kpoints

from interfaceflow.core.errors import CalculationError, UserInputError
from interfaceflow.core.formats.structure_file import read_structure, write_structure
from interfaceflow.core.progress import progress_reporter
from interfaceflow.core.units import ATOMIC_TIME_TO_FS, BOHR_TO_A, EV_PER_A3_TO_GPA, HARTREE_TO_EV
from interfaceflow.jobs.reference.makers import Frame, Segment
from interfaceflow.reference.cp2k.data_files import BASIS_FILE, POTENTIAL_FILE, n_valence_of, read_basis, read_potential
from interfaceflow.reference.cp2k.installation import check_ready, data_folder, find_command
from interfaceflow.reference.cp2k.output import (
    count_evaluations,
    read_evaluations,
    read_last_cell,
    read_path,
    read_velocities,
)
from interfaceflow.reference.kpoints import mesh_of
from interfaceflow.reference.relaxation import STRESS_TOLERANCE_EV_A3
from interfaceflow.schemas.cp2k import Cp2kSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.structures import FreeAxes

InputSection = dict[str, Any]

_START: Final = "start.extxyz"
_COORDINATES: Final = "coordinates.xyz"
_COORDINATES_ARE_IN: Final = {"COORD_FILE_FORMAT": "XYZ", "COORD_FILE_NAME": _COORDINATES}
_INPUT: Final = "cp2k.inp"
_OUTPUT: Final = "cp2k.out"
_ERRORS: Final = "std_err.txt"
_POSITIONS: Final = "CP2K-pos-1.xyz"
_VELOCITIES: Final = "CP2K-vel-1.xyz"
_CELLS: Final = "CP2K-1.cell"
_RESTARTS: Final = ("*.kp*", "*.wfn*", "*.restart*", "*.Hessian")
_MAX_SCF_STEPS: Final = 150
_PRECISION: Final = 1e-12
# How often custodian looks whether the program has ended, s, and runs its handlers at every so many looks.
_LOOK_EVERY_S: Final = 1
_HANDLE_EVERY: Final = 30
_MAX_CORRECTIONS: Final = 5
_GRACE_S: Final = 10.0


class _ProcessOfItsOwn(Cp2kJob):
    """custodian's job for CP2K, in a process group of its own.

    So Ctrl-C on the terminal is not taken for a failed calculation, and ending CP2K ends what its command started, and
    nothing else: custodian's own job ends every CP2K on the machine, by name.
    """

    def run(self, directory: str = "./") -> subprocess.Popen[bytes]:
        """Start CP2K."""
        folder = Path(directory)
        with (folder / _OUTPUT).open("wb") as output, (folder / _ERRORS).open("wb") as errors:
            self._process = subprocess.Popen(
                [*self.cp2k_cmd, "-i", _INPUT],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                process_group=0,
            )
        return self._process

    def terminate(self, directory: str = "./") -> None:
        """End it: first a request, then by force."""
        for kind in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, kind)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_GRACE_S)


class _CountsSteps(ErrorHandler):
    """A handler that finds no error: custodian asks it while CP2K runs, and it tells how far that is."""

    is_monitor = True

    def __init__(self, n_evaluations: int, description: str) -> None:
        self._progress = progress_reporter()
        self._progress.start(n_evaluations, "step", description)
        self._seen = 0

    def check(self, directory: str = "./") -> bool:
        """Count the energies in CP2K's output."""
        output = Path(directory) / _OUTPUT
        n = count_evaluations(output) if output.is_file() else 0
        if n > self._seen:
            self._progress.advance(n - self._seen)
            self._seen = n
        return False

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Correct nothing."""
        return {"errors": [], "actions": None}


@dataclass
class Cp2kMaker(BaseCp2kMaker):
    """atomate2's CP2K Maker with a level of theory's settings; what it leaves is read by `Cp2kMakers.read_frames`.

    Attributes
    ----------
    physics
        What changes a label.
    run_type
        CP2K's own name of what is done.
    motion
        CP2K's section MOTION, as nested dictionaries.
    n_evaluations
        How often CP2K evaluates the energy, at most, for the progress of the job.
    seed
        Seed of CP2K's random numbers.
    """

    name: str = "CP2K"
    physics: Cp2kSettings = field(kw_only=True)
    run_type: str = "ENERGY_FORCE"
    motion: InputSection = field(default_factory=dict)
    n_evaluations: int = 1
    seed: int = 2000

    @job
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> None:
        """Run CP2K in the current folder.

        Parameters
        ----------
        structure
            What to compute; a site property ``velocities``, Å/fs, is where dynamics starts from.
        prev_dir
            Not used: CP2K starts from atomic densities.
        """
        self._write_inputs(structure)
        steps = _CountsSteps(self.n_evaluations, f"{self.name}, {structure.formula}")
        program = _ProcessOfItsOwn(find_command())
        custodian = Custodian(
            handlers=[
                StdErrHandler(),
                UnconvergedScfErrorHandler(),
                DivergingScfErrorHandler(),
                FrozenJobErrorHandler(),
                AbortHandler(),
                steps,
            ],
            jobs=[program],
            max_errors=_MAX_CORRECTIONS,
            polling_time_step=_LOOK_EVERY_S,
            monitor_freq=_HANDLE_EVERY,
        )
        try:
            with warnings.catch_warnings():
                # A relaxation that has used up its steps is judged by its forces, later.
                warnings.filterwarnings("ignore", "Geometry optimization did not converge", UserWarning)
                custodian.run()
        except KeyboardInterrupt:
            program.terminate()
            raise
        steps.check()
        for pattern in _RESTARTS:
            for file in Path.cwd().glob(pattern):
                file.unlink()

    def _write_inputs(self, structure: Structure) -> None:
        """Write CP2K's files into the current folder, and the start for `Cp2kMakers.read_frames`."""
        bare = Structure(structure.lattice, structure.species, structure.frac_coords, charge=structure.charge)
        inputs = self._generator(bare).get_input_set(bare)
        subsystem = inputs.cp2k_input["FORCE_EVAL"]["SUBSYS"]
        # custodian rewrites the input when it corrects something, and does not keep the order of atoms in it.
        del subsystem["COORD"]
        subsystem.insert(
            Section("TOPOLOGY", keywords={key: Keyword(key, value) for key, value in _COORDINATES_ARE_IN.items()})
        )
        velocities = structure.site_properties.get("velocities")
        if velocities is not None:
            subsystem.insert(_velocity_section(np.array(velocities, dtype=float)))
        inputs.write_input(Path.cwd())
        lines = [f"{site.specie.symbol}_1 {' '.join(f'{x:.12f}' for x in site.coords)}" for site in bare]
        Path(_COORDINATES).write_text("\n".join([str(len(bare)), "", *lines, ""]))
        start = Atoms(
            [site.specie.symbol for site in bare], positions=bare.cart_coords, cell=bare.lattice.matrix, pbc=True
        )
        start.info["charge_e"] = float(bare.charge)
        write_structure(start, Path(_START).absolute())

    def _generator(self, structure: Structure) -> StaticSetGenerator:
        physics = self.physics
        mesh = mesh_of(Atoms(cell=structure.lattice.matrix).cell, physics.k_spacing_per_A)
        data = {symbol: _basis_and_potential(symbol, physics) for symbol in structure.symbol_set}
        n_electrons = sum(data[site.specie.symbol]["potential"].info.electrons for site in structure) - structure.charge
        settings = {
            "run_type": self.run_type,
            "basis_and_potential": data,
            "xc_functionals": physics.functional,
            "cutoff": physics.cutoff_Ry,
            "rel_cutoff": physics.relative_cutoff_Ry,
            "eps_default": _PRECISION,
            "eps_scf": physics.scf_tolerance,
            "ot": False,
            "smearing": True,
            "elec_temp": physics.electronic_temperature_K,
            # CP2K wants two spins for an odd number of electrons; smearing lets the moment go where it will.
            "spin_polarized": round(n_electrons) % 2 == 1,
            "alpha": 0.4,
            "nbuffer": 8,
            **{f"print_{what}": False for what in ("dos", "pdos", "mo_cubes", "v_hartree", "e_density")},
            "override_default_params": {
                "GLOBAL": {"SEED": self.seed},
                # The extrapolations of density matrices that CP2K has at k-points are this one and none.
                "FORCE_EVAL": {"DFT": {"QS": {"EXTRAPOLATION": "USE_PREV_P"}, "SCF": {"MAX_SCF": _MAX_SCF_STEPS}}},
                **({"MOTION": self.motion} if self.motion else {}),
            },
        }
        return StaticSetGenerator(
            config_dict={"cp2k_input": settings, "KPOINTS": {}},
            user_input_settings={"run_type": self.run_type},
            user_kpoints_settings=Kpoints(kpts=[mesh], style=Kpoints.supported_modes.Monkhorst),
            sort_structure=False,
        )


class Cp2kMakers:
    """The calculations of a level of theory whose engine is CP2K; see `ReferenceMakers`."""

    def __init__(self, level: LevelOfTheory) -> None:
        assert isinstance(level.physics, Cp2kSettings)
        self._level = level
        self._physics = level.physics

    def check(self, atoms: Atoms, source: str) -> None:
        """Refuse what CP2K cannot compute here."""
        charge = float(atoms.info.get("charge_e", 0.0))
        if charge != round(charge):
            raise UserInputError(f"{source}: CP2K knows only whole charges of the cell, and it is {charge:+g} e")
        check_ready(self._level, frozenset(atoms.symbols))

    def static(self) -> Maker:
        """Return the Maker of a single point."""
        return Cp2kMaker(name="CP2K static", physics=self._physics)

    def relax(self, free_axes: FreeAxes, force_tolerance_eV_A: float, max_steps: int) -> Maker:
        """Return the Maker of a relaxation, by CP2K's BFGS."""
        # CP2K looks at components, and the tolerance is for the length of a force.
        largest = force_tolerance_eV_A / np.sqrt(3) * BOHR_TO_A / HARTREE_TO_EV
        keywords: InputSection = {
            "OPTIMIZER": "BFGS",
            "MAX_ITER": max_steps,
            "MAX_FORCE": largest,
            "RMS_FORCE": largest,
            # Steps say nothing about how far the minimum is: leave the decision to the forces.
            "MAX_DR": 1.0,
            "RMS_DR": 1.0,
            "BFGS": {"TRUST_RADIUS": 0.25},
        }
        if free_axes == "none":
            return self._moving("GEO_OPT", {"GEO_OPT": keywords}, max_steps)
        keywords["PRESSURE_TOLERANCE"] = 0.5 * STRESS_TOLERANCE_EV_A3 * EV_PER_A3_TO_GPA * 1e4
        if free_axes == "normal":
            keywords["CONSTRAINT"] = "XY"
        return self._moving("CELL_OPT", {"CELL_OPT": keywords}, max_steps)

    def molecular_dynamics(self, segment: Segment) -> Maker:
        """Return the Maker of one segment of Langevin dynamics."""
        keywords: InputSection = {
            "ENSEMBLE": "LANGEVIN",
            "TEMPERATURE": segment.temperature_K,
            "TIMESTEP": segment.timestep_fs,
            "STEPS": segment.n_steps,
            "LANGEVIN": {"GAMMA": segment.friction_per_fs},
        }
        return self._moving("MD", {"MD": keywords}, segment.n_steps, seed=segment.seed)

    def read_frames(self, folder: Path) -> list[Frame]:
        """Read the frames of a calculation: all of dynamics, the last of a relaxation."""
        evaluations = read_evaluations(folder / _OUTPUT)
        start = read_structure(folder / _START)
        path = read_path(folder / _POSITIONS) if (folder / _POSITIONS).is_file() else None
        cell = read_last_cell(folder / _CELLS) if (folder / _CELLS).is_file() else start.cell.array
        velocities = read_velocities(folder / _VELOCITIES) if (folder / _VELOCITIES).is_file() else None
        if path is None:
            steps, positions = [0], start.positions[None]
        elif velocities is None:
            steps, positions = [int(path.steps[-1])], path.vectors[-1:]
        else:
            steps, positions = [int(step) for step in path.steps], path.vectors
        if len(evaluations) < len(steps):
            raise CalculationError(
                f"{folder}: CP2K was started again half-way, and {len(steps) - len(evaluations)} of {len(steps)} steps "
                "have no energy in its last output"
            )
        return [
            Frame(
                atoms=Atoms(start.symbols, positions=where, cell=cell, pbc=True),
                free_energy_eV=evaluation.free_energy_eV,
                energy_eV=evaluation.energy_eV,
                forces_eV_A=evaluation.forces_eV_A,
                stress_eV_A3=evaluation.stress_eV_A3,
                charge_e=float(start.info["charge_e"]),
                converged=evaluation.converged,
                step=step,
                magnetic_moments=evaluation.magnetic_moments,
                atomic_charges_e=evaluation.atomic_charges_e,
                velocities_A_fs=None if velocities is None else velocities.vectors[number],
            )
            for number, (step, where, evaluation) in enumerate(
                zip(steps, positions, evaluations[-len(steps) :], strict=True)
            )
        ]

    def _moving(self, run_type: str, motion: InputSection, n_steps: int, seed: int = 2000) -> Maker:
        prints: InputSection = {"TRAJECTORY": {}, "CELL": {}}
        if run_type == "MD":
            prints["VELOCITIES"] = {}
        return Cp2kMaker(
            name=f"CP2K {run_type}",
            physics=self._physics,
            run_type=run_type,
            motion={**motion, "PRINT": prints},
            n_evaluations=n_steps + 1,
            seed=seed,
        )


def _basis_and_potential(symbol: str, physics: Cp2kSettings) -> dict[str, Any]:
    """Return an element's basis and pseudopotential as pymatgen has them."""
    folder = data_folder()
    entry = read_basis(folder, symbol, physics.basis)
    basis = GaussianTypeOrbitalBasisSet.from_str(entry)
    potential = GthPotential.from_str(read_potential(folder, symbol, physics.functional, n_valence_of(entry)))
    basis.filename, potential.filename = BASIS_FILE, POTENTIAL_FILE
    return {"basis": basis, "potential": potential}


def _velocity_section(velocities_A_fs: NDArray[np.float64]) -> Section:
    """Return CP2K's section of starting velocities, in its atomic units."""
    rows = velocities_A_fs * ATOMIC_TIME_TO_FS / BOHR_TO_A
    lines = KeywordList([Keyword("", *(f"{x:.15f}" for x in row)) for row in rows])
    return Section("VELOCITY", keywords={"VELOCITY": lines})
