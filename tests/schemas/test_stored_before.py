"""What was stored when every pair was of a metal and a binary can still be read."""

from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.structures import InterfaceDoc

FILE = {"uri": "a.xyz", "sha256": "0" * 64, "n_bytes": 1}


def test_an_interface_of_a_metal_and_a_binary():
    stored = {
        "provenance": {"package_versions": {}, "host": "here", "wall_time_s": 1.0},
        "structure": {"file": FILE, "formula": "Li", "n_atoms": 1, "cell_A": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        "match": {
            "area_A2": 10.0,
            "principal_strains": [0.01, 0.0],
            "metal_multiple": 9,
            "binary_multiple": 4,
            "metal_matrix": [[3, 0], [0, 3]],
            "binary_matrix": [[2, 0], [0, 2]],
        },
        "normal_axis": 2,
        "interfaces_equivalent": True,
        "metal_formula_units": 72,
        "binary_formula_units": 32,
        "metal_layers": 8,
        "binary_layers": 4,
        "gap_A": 2.0,
        "min_distance_A": 2.4,
    }
    doc = InterfaceDoc.model_validate(stored)
    assert doc.phases == ("metal", "binary")
    assert (doc.strained_layers, doc.kept_layers) == (8, 4)
    assert (doc.strained_formula_units, doc.kept_formula_units) == (72, 32)
    assert (doc.match.strained_multiple, doc.match.kept_multiple) == (9, 4)
    assert (doc.match.strained_matrix, doc.match.kept_matrix) == (((3, 0), (0, 3)), ((2, 0), (0, 2)))
    assert InterfaceDoc.model_validate(doc.model_dump(mode="json")) == doc


def test_the_files_of_a_metal_and_a_binary():
    level = {"name": "chgnet", "description": "", "physics": {"engine": "chgnet"}}
    inputs = RecipeInputs.model_validate(
        {"metal_cif": FILE, "binary_cif": FILE | {"uri": "b"}, "level_of_theory": level}
    )
    assert {phase: cif.uri for phase, cif in inputs.cifs.items()} == {"metal": "a.xyz", "binary": "b"}
    assert RecipeInputs.model_validate(inputs.model_dump(mode="json")) == inputs
