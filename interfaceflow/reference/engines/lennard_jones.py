"""The Lennard-Jones engine, as ASE computes it."""

from __future__ import annotations

from ase.calculators.calculator import Calculator

from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.level_of_theory import LennardJonesSettings, LevelOfTheory


def _make_calculator(level: LevelOfTheory) -> Calculator:
    from ase.calculators.lj import LennardJones

    settings = level.physics
    assert isinstance(settings, LennardJonesSettings)
    return LennardJones(
        sigma=settings.sigma_A,
        epsilon=settings.epsilon_eV,
        rc=settings.cutoff_A,
        ro=0.7 * settings.cutoff_A,
        smooth=True,
    )


ENGINE = Engine(
    name="lennard-jones",
    packages=("ase",),
    elements=frozenset(),
    charged_cells=False,
    make_calculator=_make_calculator,
)
