"""Structures as the documents of a project point to them."""

from pathlib import Path

from ase import Atoms

from interfaceflow.core.files import FileRef, project_root
from interfaceflow.core.formats.structure_file import write_structure
from interfaceflow.schemas.structures import StructureFile


def store_structure(atoms: Atoms) -> StructureFile:
    folder = project_root()
    path = Path(folder) / f"structure-{len(list(folder.glob('structure-*.xyz')))}.xyz"
    write_structure(atoms, path)
    cell = tuple(tuple(float(x) for x in row) for row in atoms.cell)
    return StructureFile(file=FileRef.of(path), formula=atoms.get_chemical_formula(), n_atoms=len(atoms), cell_A=cell)
