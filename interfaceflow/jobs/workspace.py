"""What every job does alike: its folder, its files, its provenance."""

from __future__ import annotations

import re
import time
from pathlib import Path

from ase import Atoms
from jobflow.core.state import CURRENT_JOB

from interfaceflow.core.files import PROJECT_FOLDER, FileRef, project_root
from interfaceflow.core.formats.structure_file import read_structure, write_structure
from interfaceflow.core.provenance import host_name, package_versions
from interfaceflow.jobs.wiring import PARENTS
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.structures import StructureFile


class Workspace:
    """A job's own folder in the project, and the clock that its provenance needs.

    Attributes
    ----------
    folder
        The folder.
    parents
        The uuids of the jobs whose results went into this one.

    The folder is the same each time the same job is run, so a job that was killed finds what it left
    and may go on from it; ``interfaceflow rerun`` empties it first.

    Examples
    --------
    >>> workspace = Workspace()                              # doctest: +SKIP
    >>> file = workspace.store_structure(atoms, "relaxed")   # doctest: +SKIP
    >>> RelaxationDoc(..., provenance=workspace.provenance("chgnet"))   # doctest: +SKIP
    """

    def __init__(self) -> None:
        job = CURRENT_JOB.job
        self.folder = workspace_folder(project_root(), job.name, job.uuid, job.index)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parents: list[str] = list(job.metadata.get(PARENTS, []))
        self._started = time.monotonic()

    def path(self, name: str) -> Path:
        """Return the path of a file in the job's folder."""
        return self.folder / name

    def shown_path(self, name: str) -> str:
        """Return the path of a file in the job's folder, relative to the project's root."""
        return self.path(name).relative_to(project_root()).as_posix()

    def store_structure(self, atoms: Atoms, name: str) -> StructureFile:
        """Write a structure as ``<name>.xyz`` and describe it."""
        path = self.path(f"{name}.xyz")
        write_structure(atoms, path)
        a, b, c = (tuple(float(x) for x in row) for row in atoms.cell)
        return StructureFile(
            file=FileRef.of(path), formula=atoms.get_chemical_formula(), n_atoms=len(atoms), cell_A=(a, b, c)
        )

    def provenance(self, *packages: str, seed: int | None = None) -> Provenance:
        """Describe what went into the job's result, up to now.

        Parameters
        ----------
        packages
            Distributions whose versions matter for the result.
        seed
            Seed of its random numbers, if any were drawn.
        """
        return Provenance(
            package_versions=package_versions(*packages),
            seed=seed,
            parent_uuids=self.parents,
            host=host_name(),
            wall_time_s=time.monotonic() - self._started,
        )


def workspace_folder(root: Path, name: str, uuid: str, index: int) -> Path:
    """Return the folder in which a job of a project keeps its files."""
    safe_name = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)
    return root / PROJECT_FOLDER / "files" / f"{safe_name}-{uuid[:8]}-{index}"


def load_structure(structure: StructureFile) -> Atoms:
    """Read a stored structure, after checking that its file is unchanged."""
    return read_structure(structure.file.path())
