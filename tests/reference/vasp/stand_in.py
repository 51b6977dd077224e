"""Potentials without content, the command of the stand-in for VASP, and a level of theory to try."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

from pymatgen.core import SETTINGS
from pymatgen.io.ase import AseAtomsAdaptor

from interfaceflow.reference.vasp.input_set import VaspInputs
from interfaceflow.schemas.vasp import VaspSettings

COMMAND = f"{sys.executable} {Path(__file__).with_name('fake_vasp.py')}"
VALENCES = {"Li": 1, "Li_sv": 3, "Cl": 7, "S": 6, "P": 5, "Mn": 7, "Mn_pv": 13, "Si": 4, "B": 3, "O": 6, "H": 1, "F": 7}
VALENCES |= {"Na": 1, "Na_pv": 7, "N": 5, "C": 4}


PHYSICS = {
    "engine": "vasp",
    "functional": "pbe",
    "cutoff_eV": 520,
    "k_points": {"scheme": "spacing", "spacing_per_A": 0.5},
    "smearing": {"method": "gaussian", "width_eV": 0.05},
    "spin": True,
    "potcars": {"family": "PBE_54"},
}


def vasp_settings(**changes):
    return VaspSettings.model_validate(PHYSICS | changes)


def write_potcars(root, family="PBE_54", symbols=tuple(VALENCES)):
    """Write headers that say what a potential is called and how many electrons it has, and nothing else."""
    folder = root / {"PBE": "POT_GGA_PAW_PBE", "PBE_54": "POT_GGA_PAW_PBE_54"}[family]
    folder.mkdir(parents=True, exist_ok=True)
    for symbol in symbols:
        element = symbol.split("_")[0]
        text = (
            f"  PAW_PBE {symbol} 01Jan2000\n   {VALENCES[symbol]:.8f}\n parameters from PSCTR are:\n"
            f"   VRHFIN ={element}: stand-in\n   LEXCH  = PE\n   EATOM  =     1.0000 eV,    0.1000 Ry\n"
            f"   TITEL  = PAW_PBE {symbol} 01Jan2000\n   LULTRA =        F    use ultrasoft PP ?\n"
            f"   POMASS =    1.000; ZVAL   =    {VALENCES[symbol]:.3f}    mass and valenz\n"
            "   ENMAX  =  200.000; ENMIN  =  100.000 eV\n   LPAW   =        T\n"
            "  END of PSCTR-controll parameters\n local part\n   0.0\n End of Dataset\n"
        )
        with gzip.open(folder / f"POTCAR.{symbol}.gz", "wt") as stream:
            stream.write(text)
    return root


def run_stand_in(folder, atoms, calculation, failure="", **changes):
    """Write the inputs and run the stand-in, without custodian."""
    structure = AseAtomsAdaptor.get_structure(atoms)
    structure.set_charge(float(atoms.info.get("charge_e", 0.0)))
    root = write_potcars(folder.parent / "potentials")
    before, SETTINGS["PMG_VASP_PSP_DIR"] = SETTINGS.get("PMG_VASP_PSP_DIR"), str(root)
    try:
        inputs = VaspInputs(vasp_settings(**changes), calculation).get_input_set(structure)
    finally:
        SETTINGS["PMG_VASP_PSP_DIR"] = before
    inputs.write_input(str(folder))
    environment = os.environ | {"FAKE_VASP_FAILS": failure}
    subprocess.run(COMMAND.split(), cwd=folder, env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)
    return folder
