"""A potential of any kind goes into a document and comes back, also one from before there were kinds."""

import json

import pytest

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Provenance
from interfaceflow.schemas.datasets import (
    AseDetails,
    FitErrors,
    MtpDetails,
    NequIPDetails,
    NequIPFiles,
    PotentialDoc,
)
from interfaceflow.schemas.settings import ZBLSettings
from interfaceflow.store.rebuild import docs_in

FILE = FileRef(uri="a", sha256="0" * 64, n_bytes=1)
ERRORS = FitErrors(
    n_configurations=1,
    energy_rmse_meV_atom=1.0,
    energy_mae_meV_atom=1.0,
    force_rmse_eV_A=0.1,
    force_mae_eV_A=0.1,
    force_rmse_by_species_eV_A={},
    stress_rmse_GPa=0.1,
)
KINDS = [
    MtpDetails(
        level=8, zbl=ZBLSettings(inner_cutoff_A=1, outer_cutoff_A=2), iterations=5, final_loss=0.1, engine="mlip-3"
    ),
    NequIPDetails(
        networks=(NequIPFiles(checkpoint=FILE, compiled=FILE),),
        grade="latent",
        grade_file=FILE,
        device="cpu",
        precision="float32",
        n_layers=3,
        l_max=1,
        n_features=8,
        epochs=4,
        best_epoch=2,
        validation_loss=0.3,
    ),
    AseDetails(calculator="a.b:C"),
]


def doc_with(model) -> PotentialDoc:
    return PotentialDoc(
        file=FILE,
        species=("Li",),
        cutoff_radius_A=5.0,
        n_training=3,
        dataset_sha256="0" * 64,
        training_errors=ERRORS,
        held_out_errors=ERRORS,
        warm_start=False,
        min_distances_A={"Li-Li": 2.0},
        physics_hash="0" * 64,
        model=model,
        provenance=Provenance(package_versions={}, host="here", wall_time_s=0.0),
    )


@pytest.mark.parametrize("model", KINDS, ids=lambda model: model.kind)
def test_a_stored_potential_comes_back_as_it_was(model):
    doc = doc_with(model)
    stored = json.loads(doc.model_dump_json()) | {"@module": PotentialDoc.__module__, "@class": "PotentialDoc"}
    assert list(docs_in(stored, "a job")) == [doc]


def test_a_moment_tensor_potential_from_before_there_were_kinds_can_be_read():
    doc = doc_with(KINDS[0])
    old = json.loads(doc.model_dump_json(exclude={"has_grade", "model"}))
    old |= json.loads(KINDS[0].model_dump_json(exclude={"kind"})) | {"schema_version": 1}
    assert PotentialDoc.model_validate(old) == doc.model_copy(update={"schema_version": 1})
    assert PotentialDoc.model_validate(old | {"zbl": None}).model.zbl is None
