"""One GPAW calculation that follows the atoms from configuration to configuration."""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import CalculationError
from interfaceflow.reference.kpoints import mesh_of
from interfaceflow.schemas.gpaw import GpawSettings

_Identity = tuple[bytes, tuple[int, int, int], float]


class GroundStateResults(TypedDict, total=False):
    """What a configuration's ground state gives, in ASE's names and units.

    ``magmoms`` is there where the calculation is spin-polarised; ``converged`` tells whether the electrons are.
    """

    energy: float
    free_energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]
    magmoms: NDArray[np.float64]
    converged: bool


class GroundState:
    """The electronic ground state of a configuration, started from that of the last one where they are alike.

    Density and wave functions are carried along while elements, k-point mesh and charge stay the same, also when the
    cell changes; a step of molecular dynamics then takes about half the iterations. What they converge to does not
    depend on where they started, within the convergence criteria.

    Parameters
    ----------
    settings
        Everything that changes a label.
    communicator
        GPAW's MPI communicator; one rank where it is not given.

    Examples
    --------
    >>> ground_state = GroundState(settings)            # doctest: +SKIP
    >>> ground_state.compute(atoms, charge_e=0.0)       # doctest: +SKIP
    """

    def __init__(self, settings: GpawSettings, communicator: Any = None) -> None:
        self._settings = settings
        self._communicator = communicator
        self._calculation: Any = None
        self._identity: _Identity | None = None

    def compute(self, atoms: Atoms, charge_e: float) -> GroundStateResults:
        """Compute a periodic configuration.

        A charged cell sits in a uniform background of the opposite charge. An energy that did not converge comes back
        with ``converged`` false, and the next configuration is started from scratch.

        Parameters
        ----------
        atoms
            The configuration.
        charge_e
            Net charge of the cell, e.

        Raises
        ------
        CalculationError
            If atoms are too close for their PAW datasets.
        """
        from gpaw.new.symmetry import SymmetryBrokenError
        from gpaw.utilities import AtomsTooClose

        identity = (atoms.numbers.tobytes(), mesh_of(atoms.cell, self._settings.k_spacing_per_A), charge_e)
        if identity != self._identity:
            self._calculation, self._identity = None, identity
        try:
            try:
                return self._converge(atoms)
            except SymmetryBrokenError:
                self._calculation = None
                return self._converge(atoms)
        except AtomsTooClose as error:
            raise CalculationError(f"GPAW: {error}") from None

    def count_k_points(self, atoms: Atoms) -> int:
        """Return the number of irreducible k-points of a configuration, twice that where spins differ."""
        from gpaw.dft import MonkhorstPack, Symmetry
        from gpaw.mpi import serial_comm

        points = MonkhorstPack(mesh_of(atoms.cell, self._settings.k_spacing_per_A), gamma=True).build(atoms)
        symmetries = Symmetry().build(atoms, setup_ids=atoms.numbers, _backwards_compatible=True)
        n_spins = 2 if self._settings.spin_polarised else 1
        return n_spins * len(points.reduce(symmetries, strict=False, comm=serial_comm))

    def _converge(self, atoms: Atoms) -> GroundStateResults:
        """Converge and collect; the calculation is kept for the next configuration only if that succeeds."""
        from gpaw import KohnShamConvergenceError

        calculation = self._start(atoms) if self._calculation is None else self._calculation
        self._calculation = None
        try:
            calculation.get_potential_energy(atoms)
            converged = True
        except KohnShamConvergenceError:
            calculation.dft.calculate_energy()
            calculation.dft.magmoms()
            converged = False
        calculation.dft.calculate_forces()
        calculation.dft.calculate_stress()
        found = calculation.results
        results = GroundStateResults(
            energy=float(found["energy"]),
            free_energy=float(found["free_energy"]),
            forces=np.array(found["forces"], dtype=float),
            stress=np.array(found["stress"], dtype=float),
            converged=converged,
        )
        if self._settings.spin_polarised:
            results["magmoms"] = np.array(found["magmoms"], dtype=float)
        if converged:
            self._calculation = calculation
        return results

    def _start(self, atoms: Atoms) -> Any:
        from gpaw import GPAW, PW

        settings, identity = self._settings, self._identity
        assert identity is not None
        if settings.spin_polarised:
            moments = [settings.initial_moments_muB.get(symbol, 0.0) for symbol in atoms.symbols]
            atoms.set_initial_magnetic_moments(moments)
        criteria = settings.convergence
        return GPAW(
            mode=PW(settings.cutoff_eV),
            xc=settings.functional,
            kpts={"size": identity[1], "gamma": True},
            charge=identity[2],
            occupations={"name": settings.smearing, "width": settings.smearing_width_eV},
            spinpol=settings.spin_polarised,
            setups={"default": "paw", **settings.setups},
            convergence={
                "energy": criteria.energy_eV,
                "density": criteria.density,
                "eigenstates": criteria.eigenstates_eV2,
            },
            maxiter=criteria.max_iterations,
            parallel={} if self._communicator is None else {"kpt": self._communicator.size},
            communicator=self._communicator,
            txt=None,
        )
