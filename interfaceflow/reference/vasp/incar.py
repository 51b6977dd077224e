"""The INCAR of a calculation: every tag from typed settings, none from VASP's silence where it changes a label."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ase import Atoms

from interfaceflow.reference.vasp.slabs import slab_centre, vacuum_axes
from interfaceflow.schemas.vasp import (
    BaderCalculation,
    DosCalculation,
    DynamicsCalculation,
    RelaxCalculation,
    VaspCalculation,
    VaspSettings,
)

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

IncarTags = dict[str, Any]

# Tags that change a label. A run in which one of them is not what was asked for is not at its level of theory.
PHYSICS_TAGS: Final = frozenset(
    (
        "ENCUT",
        "ENAUG",
        "PREC",
        "LREAL",
        "LASPH",
        "KSPACING",
        "GGA",
        "METAGGA",
        "IVDW",
        "LUSE_VDW",
        "AGGAC",
        "PARAM1",
        "PARAM2",
        "LHFCALC",
        "AEXX",
        "HFSCREEN",
        "LDAU",
        "LDAUL",
        "LDAUU",
        "LDAUJ",
        "ISMEAR",
        "SIGMA",
        "NELECT",
        "ISPIN",
        "NUPDOWN",
        "LDIPOL",
        "IDIPOL",
        "DIPOL",
    )
)
# PBE-D3(BJ): doi:10.1002/jcc.21759. optB88-vdW: doi:10.1088/0953-8984/22/2/022201. HSE06: doi:10.1063/1.2404663.
_FUNCTIONALS: Final[Mapping[str, IncarTags]] = {
    "pbe": {"GGA": "PE"},
    "pbe-d3bj": {"GGA": "PE", "IVDW": 12},
    "optb88-vdw": {"GGA": "BO", "PARAM1": 0.1833333333, "PARAM2": 0.22, "AGGAC": 0.0, "LUSE_VDW": True},
    "hse06": {"GGA": "PE", "LHFCALC": True, "HFSCREEN": 0.2, "AEXX": 0.25, "PRECFOCK": "Normal"},
}
_SMEARINGS: Final = {"gaussian": 0, "fermi": -1, "methfessel-paxton": 1, "tetrahedron": -5}
_ISIF: Final = {"none": 2, "normal": 3, "all": 3}
_DEFAULT_MOMENT_UB: Final = 0.6
_FS_PER_PS: Final = 1000.0
_KB_PER_GPA: Final = 10.0


def incar_of(
    settings: VaspSettings,
    calculation: VaspCalculation,
    structure: Structure,
    valence_electrons: Mapping[str, float] | None = None,
) -> IncarTags:
    """Return all tags of the INCAR.

    Parameters
    ----------
    settings
        The level of theory.
    calculation
        What is calculated.
    structure
        The cell; ``structure.charge`` is its net charge, e.
    valence_electrons
        Electrons of each element's POTCAR; needed for a charged cell only.
    """
    tags = _base_tags(settings, structure)
    tags |= _level_tags(settings, structure)
    tags |= _calculation_tags(calculation, structure)
    tags |= _dipole_tags(settings, structure)
    if charge_e := net_charge(structure):
        assert valence_electrons is not None
        tags["NELECT"] = sum(valence_electrons[site.specie.symbol] for site in structure) - charge_e
    return tags


def net_charge(structure: Structure) -> float:
    """Return the net charge of a cell, e."""
    with warnings.catch_warnings():
        # It warns that sites without oxidation states do not add up to the charge.
        warnings.filterwarnings("ignore", message="Structure charge", category=UserWarning)
        return float(structure.charge)


def to_atoms(structure: Structure) -> Atoms:
    """Return a structure as ASE has it, with its net charge in ``info["charge_e"]``."""
    atoms = Atoms(
        numbers=structure.atomic_numbers,
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )
    atoms.info["charge_e"] = net_charge(structure)
    return atoms


def _base_tags(settings: VaspSettings, structure: Structure) -> IncarTags:
    """Return the tags of the base set, with Hubbard U, moments and the mixing of d and f states."""
    if settings.base_set == "none":
        return _own_base_tags(settings, structure)
    from pymatgen.io.vasp import sets

    base_set = {"mp-relax": sets.MPRelaxSet, "mit-relax": sets.MITRelaxSet}[settings.base_set]
    moments = {"MAGMOM": settings.initial_moments_uB} if settings.initial_moments_uB else {}
    with warnings.catch_warnings():
        # It warns of its own smearing for metals, which the settings replace.
        warnings.simplefilter("ignore")
        tags = dict(base_set(structure, sort_structure=False, user_incar_settings=moments).incar)
    unwanted = {"NSW", "IBRION", "ISIF", "ICHARG", "EDIFFG", "LDAUPRINT"}
    if not settings.spin:
        unwanted.add("MAGMOM")
    if settings.functional == "hse06":
        unwanted |= {tag for tag in tags if tag.startswith("LDAU")}
    return {tag: value for tag, value in tags.items() if tag not in unwanted} | {"LORBIT": 11}


def _own_base_tags(settings: VaspSettings, structure: Structure) -> IncarTags:
    highest = max(site.specie.Z for site in structure)
    tags: IncarTags = {"NELM": 200, "NELMIN": 5, "LASPH": True, "LORBIT": 11, "ALGO": "Fast"}
    tags["LMAXMIX"] = 6 if highest > 56 else 4 if highest > 20 else 2
    if settings.spin:
        moments = settings.initial_moments_uB
        tags["MAGMOM"] = [moments.get(site.specie.symbol, _DEFAULT_MOMENT_UB) for site in structure]
    return tags


def _level_tags(settings: VaspSettings, structure: Structure) -> IncarTags:
    tags: IncarTags = {
        "ENCUT": settings.cutoff_eV,
        "PREC": settings.precision.capitalize(),
        "LREAL": "Auto" if settings.projectors == "automatic" else False,
        "ISMEAR": _SMEARINGS[settings.smearing.method],
        "SIGMA": settings.smearing.width_eV,
        "ISPIN": 2 if settings.spin else 1,
        "LWAVE": False,
        "LCHARG": False,
        **_FUNCTIONALS[settings.functional],
    }
    if settings.density_cutoff_eV is not None:
        tags["ENAUG"] = settings.density_cutoff_eV
    if settings.energy_tolerance_eV is not None:
        tags["EDIFF"] = settings.energy_tolerance_eV
    if settings.functional == "hse06":
        tags["ALGO"] = "Normal"
    return tags


def _calculation_tags(calculation: VaspCalculation, structure: Structure) -> IncarTags:
    if isinstance(calculation, RelaxCalculation):
        return _relaxation_tags(calculation)
    if isinstance(calculation, DynamicsCalculation):
        return _dynamics_tags(calculation, structure)
    tags: IncarTags = {"NSW": 0, "IBRION": -1, "ISIF": 2}
    if isinstance(calculation, DosCalculation):
        tags |= {"NEDOS": calculation.n_energies}
    elif isinstance(calculation, BaderCalculation):
        tags |= {"LAECHG": True, "LCHARG": True}
    return tags


def _relaxation_tags(calculation: RelaxCalculation) -> IncarTags:
    tags: IncarTags = {"IBRION": 2, "NSW": calculation.max_steps, "ISIF": _ISIF[calculation.free_axes]}
    if calculation.force_tolerance_eV_A is not None:
        tags["EDIFFG"] = -calculation.force_tolerance_eV_A
    else:
        tags["EDIFFG"] = calculation.energy_tolerance_eV
    if calculation.free_axes == "normal":
        # Leaves the zz component of the stress alone, so only the third vector's z changes (VASP 6.4 or newer).
        tags["LATTICE_CONSTRAINTS"] = [False, False, True]
    return tags


def _dynamics_tags(calculation: DynamicsCalculation, structure: Structure) -> IncarTags:
    last = calculation.final_temperature_K
    return {
        "IBRION": 0,
        "NSW": calculation.n_steps,
        "POTIM": calculation.timestep_fs,
        "TEBEG": calculation.temperature_K,
        "TEEND": calculation.temperature_K if last is None else last,
        "ISYM": 0,
        "KBLOCK": 100,
        "RANDOM_SEED": [calculation.seed, 0, 0],
        **_ensemble_tags(calculation, len(structure.composition.elements)),
    }


def _ensemble_tags(calculation: DynamicsCalculation, n_elements: int) -> IncarTags:
    friction = [_FS_PER_PS * calculation.friction_per_fs] * n_elements
    if calculation.ensemble == "nve":
        return {"MDALGO": 1, "ANDERSEN_PROB": 0.0, "ISIF": 2}
    if calculation.ensemble == "nvt-nose-hoover":
        # SMASS = 0 is a thermostat with a period of 40 steps.
        return {"MDALGO": 2, "SMASS": 0, "ISIF": 2}
    if calculation.ensemble == "nvt-langevin":
        return {"MDALGO": 3, "LANGEVIN_GAMMA": friction, "ISIF": 2}
    return {
        "MDALGO": 3,
        "LANGEVIN_GAMMA": friction,
        "LANGEVIN_GAMMA_L": _FS_PER_PS * calculation.cell_friction_per_fs,
        "PMASS": calculation.cell_mass_amu,
        "PSTRESS": _KB_PER_GPA * calculation.pressure_GPa,
        "ISIF": 3,
    }


def _dipole_tags(settings: VaspSettings, structure: Structure) -> IncarTags:
    atoms = to_atoms(structure)
    axes = vacuum_axes(atoms)
    if settings.dipole_correction == "none" or len(axes) != 1:
        return {}
    centre = [0.5, 0.5, 0.5]
    centre[axes[0]] = round(slab_centre(atoms, axes[0]), 6)
    return {"LDIPOL": True, "IDIPOL": axes[0] + 1, "DIPOL": centre}
