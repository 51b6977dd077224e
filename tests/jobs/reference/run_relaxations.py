"""Relaxations as flows run them: what comes after sees one document of the list."""

from jobflow.core.flow import Flow
from jobflow.core.job import job
from jobflow.core.store import JobStore
from jobflow.managers.local import run_locally
from maggma.stores import MemoryStore
from stored import store_structure

from interfaceflow.jobs.reference import relax
from interfaceflow.schemas.settings import ReferenceSettings
from interfaceflow.schemas.structures import RelaxationRequest


@job
def take(document):
    return document


def documents_of(cells, level):
    store = JobStore(MemoryStore())
    store.connect()
    requests = [
        RelaxationRequest(
            kind="bulk", name=name, structure=store_structure(atoms), free_axes=free_axes, relax_ions=relax_ions
        )
        for name, atoms, free_axes, relax_ions in cells
    ]
    relaxations = relax(requests, level, ReferenceSettings(force_tolerance_eV_A=0.02))
    # What comes after sees one document of the list, as the flows do.
    taken = [take(relaxations.output[number]) for number in range(len(cells))]
    responses = run_locally(
        Flow([relaxations, *taken]), store=store, ensure_success=True, raise_immediately=True, log=False
    )
    return [max(responses[one.uuid].items())[1].output for one in taken]
