"""Made-up labelled frames."""

import numpy as np
from ase.build import bulk

from interfaceflow.core.labelled import LabelledConfiguration


def configuration(seed, trajectory="run", physics_hash="a1b2"):
    generator = np.random.default_rng(seed)
    atoms = bulk("LiCl", "rocksalt", a=5.1, cubic=True)
    atoms.positions += generator.normal(0, 0.05, (8, 3))
    return LabelledConfiguration(
        atoms=atoms,
        free_energy_eV=-31.0 - seed,
        energy_eV=-31.1 - seed,
        forces_eV_A=generator.normal(size=(8, 3)),
        stress_eV_A3=generator.normal(size=6),
        physics_hash=physics_hash,
        source=f"{trajectory}, step {seed}",
        trajectory=trajectory,
        temperature_K=300.0,
    )
