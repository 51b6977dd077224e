"""Tables of results: every row fills the columns that are announced, none less and none more."""

import pytest
from demo_flow import DemoFlow, flow_results
from doc_jobs import FILE, provenance

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.schemas.datasets import QuarantinedLabel
from interfaceflow.schemas.electronic import BaderDoc, DensityOfStatesDoc, EffectiveMassDoc, GroupCharge, LayerCharge
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.settings import ZBLSettings
from interfaceflow.schemas.structures import StructureFile
from interfaceflow.store.tables import KINDS, build_table


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv(PROJECT_ROOT_VARIABLE, str(tmp_path))
    return DemoFlow(tmp_path).results()


@pytest.mark.parametrize("kind", KINDS)
def test_rows_have_the_columns_of_their_kind(kind, results):
    for row in KINDS[kind].rows(results):
        assert tuple(row) == KINDS[kind].columns


def test_potentials_say_what_has_to_be_added_to_their_file(results):
    (last,) = results.all_of(LearningRoundDoc)[-1:]
    assert build_table("potentials", lambda: results)["zbl_outer_cutoff_A"].isna().all()
    zbl = ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=2.0)
    model = last.potential.model.model_copy(update={"zbl": zbl})
    overlaid = last.model_copy(update={"potential": last.potential.model_copy(update={"model": model})})
    (row,) = build_table("potentials", lambda: flow_results([("explore", overlaid)])).to_dict("records")
    assert (row["zbl_inner_cutoff_A"], row["zbl_outer_cutoff_A"]) == (1.0, 2.0)


@pytest.fixture
def electronic_results():
    shared = {"name": "LiCl", "level_of_theory": "vasp-pbe", "physics_hash": "0" * 64, "provenance": provenance()}
    axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    structure = StructureFile(file=FILE, formula="ClLi", n_atoms=2, cell_A=axes)
    dos = DensityOfStatesDoc(
        structure=structure,
        gap_eV=6.2,
        is_metal=False,
        valence_maximum_eV=-0.2,
        conduction_minimum_eV=6.0,
        valence_k_point=(0, 0, 0),
        conduction_k_point=(0, 0, 0),
        fermi_energy_eV=0.1,
        species=("Cl", "Li"),
        spin_polarised=False,
        arrays=FILE,
        **shared,
    )
    group = GroupCharge(
        by="region",
        name="metal interface",
        element=None,
        n_atoms=4,
        mean_charge_e=0.1,
        spread_e=0.8,
        frame_spread_e=0.2,
    )
    layer = LayerCharge(element="Li", lower_A=2.0, upper_A=4.0, mean_n_atoms=1.5, mean_charge_e=0.9)
    bader = BaderDoc(
        n_frames=2,
        frames=("a", "b"),
        quarantined=(QuarantinedLabel(source="c", reason="no room"),),
        groups=(group,),
        layers=(layer,),
        total_charge_e=0.0,
        arrays=FILE,
        **shared,
    )
    mass = EffectiveMassDoc(
        structure=structure,
        band="valence",
        k_point=(0, 0, 0.5),
        step_per_A=0.02,
        inverse_mass_tensor=axes,
        principal_masses_me=(1.0, 1.0, None),
        principal_directions=axes,
        conductivity_mass_me=None,
        is_extremum=False,
        **shared,
    )
    return flow_results([("dos", dos), ("bader", bader), ("mass", mass)])


def test_electronic_structure_as_tables(electronic_results):
    for kind, n_rows in (("gaps", 1), ("bader-charges", 2), ("effective-masses", 1)):
        rows = list(KINDS[kind].rows(electronic_results))
        assert len(rows) == n_rows
        assert all(tuple(row) == KINDS[kind].columns for row in rows)
    charges = build_table("bader-charges", lambda: electronic_results)
    assert charges["by"].tolist() == ["region", "layer and element"]
    assert charges["mean_charge_e"].tolist() == [0.1, 0.9]
    assert build_table("effective-masses", lambda: electronic_results)["k_point"].tolist() == ["0 0 0.5"]
    assert [label.source for label in electronic_results.quarantined] == ["c"]
