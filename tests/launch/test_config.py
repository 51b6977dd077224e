import copy
import re
from pathlib import Path

import pytest
import yaml
from small_project import SETTINGS, settings

from interfaceflow.core.errors import UserInputError
from interfaceflow.launch.config import load_config
from interfaceflow.schemas.nequip import NequIPSettings
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings, LmsLssPairSettings
from interfaceflow.schemas.settings import AseSettings, MtpSettings, ZBLSettings

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "potentials.md"


def refusal(tmp_path, text: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserInputError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


def changed(**changes) -> str:
    """Return the small config with keys changed; ``a__b`` is the key b in a."""
    config = copy.deepcopy(SETTINGS)
    for name, value in changes.items():
        *parents, last = name.split("__")
        entry = config
        for parent in parents:
            entry = entry.setdefault(parent, {})
        entry[last] = value
    return yaml.safe_dump(config)


def test_a_good_config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(changed())
    assert load_config(path) == settings()


@pytest.mark.parametrize(
    ("potential", "expected"),
    [
        ({"level": 10}, MtpSettings(level=10)),
        ({"kind": "mtp"}, MtpSettings()),
        ({"kind": "nequip", "l_max": 2}, NequIPSettings(l_max=2)),
        (
            {"kind": "ase", "calculator": "a.b:C", "arguments": {"on": True}},
            AseSettings(kind="ase", calculator="a.b:C", arguments={"on": True}),
        ),
    ],
)
def test_the_kind_of_potential_decides_what_else_it_has(tmp_path, potential, expected):
    path = tmp_path / "config.yaml"
    path.write_text(changed(potential=potential))
    assert load_config(path).potential == expected
    again = DecompositionInterfacesSettings.model_validate(load_config(path).model_dump(mode="json"))
    assert again.potential == expected


def test_the_how_to_page_shows_configs_that_load(tmp_path):
    blocks = re.findall(r"```yaml\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    kinds = []
    for block in map(yaml.safe_load, blocks):
        if "production" in block:
            block["potential"] = {"kind": "nequip"}
        path = tmp_path / "config.yaml"
        path.write_text(changed(**block))
        kinds.append(load_config(path).potential.kind)
    assert kinds == ["mtp", "nequip", "ase", "nequip"]


def test_there_is_no_repulsion_unless_it_is_asked_for(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(changed())
    assert load_config(path).potential.zbl is None
    path.write_text(changed(potential__zbl={"inner_cutoff_A": 1, "outer_cutoff_A": 2}))
    assert load_config(path).potential.zbl == ZBLSettings(inner_cutoff_A=1.0, outer_cutoff_A=2.0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"structurs": 1}, ["structurs (line", "unknown key", "Did you mean 'structures'?"]),
        (
            {"structures__interface": {"max_are_A2": 3}},
            ["structures.interface.max_are_A2", "Did you mean 'max_area_A2'?"],
        ),
        ({"production__timestep_fs": -2}, ["production.timestep_fs (line", "-2 is not allowed", "> 0 fs and <= 5 fs"]),
        ({"melting_point__lowest_K": -5}, ["melting_point.lowest_K", "-5", "a number > 0 K and <= 5000"]),
        ({"melting_point__lowest_K": "300 K"}, ["this key is in K; give the number alone: 300"]),
        ({"melting_point__lowest_K": "25 C"}, ["this key is in K, not in C"]),
        ({"production__ramp_ps": "500 fs"}, ["production.ramp_ps", "this key is in ps, not in fs"]),
        ({"melting_point__n_atoms": "12 atoms"}, ["pure number"]),
        ({"learning__cells": [{"cell": "metal", "temperature_K": "300 K"}]}, ["learning.cells[0].temperature_K"]),
        ({"recipe": "decomposition_interface"}, ["Did you mean 'decomposition_interfaces'?"]),
        ({"potential__level": 9}, ["potential.level", "9", "one of 2, 4, 6, 8"]),
        ({"potential__max_iterations": True}, ["potential.max_iterations", "True", "a whole number >= 1"]),
        (
            {"potential__zbl": {"inner_cutoff_A": 1}},
            ["potential.zbl.outer_cutoff_A: missing", "there is none; best below every bond [Å]"],
        ),
        ({"potential__zbl": {"inner_cutof_A": 1, "inner_cutoff_A": 1, "outer_cutoff_A": 2}}, ["'inner_cutoff_A'?"]),
        ({"potential__zbl": {"inner_cutoff_A": 0, "outer_cutoff_A": 2}}, ["potential.zbl.inner_cutoff_A", "> 0 Å"]),
        ({"potential__zbl": {"inner_cutoff_A": 2, "outer_cutoff_A": 2}}, ["potential.zbl", "(2) must be larger than"]),
        (
            {"potential": {"cutoff_radius_A": 4, "zbl": {"inner_cutoff_A": 2, "outer_cutoff_A": 4.5}}},
            ["potential (line", "zbl.outer_cutoff_A (4.5) must not be larger than cutoff_radius_A (4)"],
        ),
        (
            {"potential": {"kind": "nequipp"}},
            ["potential.kind (line", "'nequipp' is not allowed", "one of 'mtp', 'nequip', 'ase'", "mean 'nequip'?"],
        ),
        ({"potential": {"kind": ["ase"]}}, ["potential.kind", "one of 'mtp', 'nequip', 'ase'"]),
        ({"potential": 3}, ["potential (line", "3 is not allowed", "it must be a mapping"]),
        ({"potential": {"kind": "nequip", "n_layer": 2}}, ["potential.n_layer (line", "Did you mean 'n_layers'?"]),
        (
            {"potential": {"kind": "nequip", "weight_scaling": 1}},
            ["potential.weight_scaling (line", "It belongs to kind: mtp, and kind: nequip is given"],
        ),
        ({"potential": {"kind": "nequip", "n_layers": 9}}, ["potential.n_layers (line", ">= 1 and <= 8"]),
        ({"potential": {"kind": "nequip", "n_layers": True}}, ["potential.n_layers (line", "True is not allowed"]),
        (
            {"potential": {"kind": "nequip", "cutoff_radius_A": "5 nm"}},
            ["potential.cutoff_radius_A", "in Å, not in nm"],
        ),
        ({"potential": {"kind": "ase"}}, ["potential.calculator: missing. Import string 'package.module:Name'"]),
        (
            {"potential": {"kind": "ase", "calculator": "ase.calculators.lj.LennardJones"}},
            ["potential.calculator (line", "is no import string", "'ase.calculators.lj:LennardJones'"],
        ),
        (
            {"potential": {"kind": "nequip"}, "production__n_ranks": 2},
            ["production.n_ranks: 2 is not possible with potential.kind: nequip", "leave n_ranks out"],
        ),
        (
            {"potential": {"kind": "nequip"}, "production__nequip_style": "mliap"},
            ["production (line", "nequip_style: mliap and lammps_command: None do not go together"],
        ),
        ({"production__nequip_style": "mliapp"}, ["production.nequip_style", "Did you mean 'mliap'?"]),
        (
            {"production": {"nequip_style": "mliap", "lammps_command": "srun lmp"}},
            ["production.nequip_style: mliap is for potential.kind: nequip, and mtp is given"],
        ),
        ({"seed": 2.5}, ["seed", "2.5", "a whole number"]),
        ({"title": ""}, ["title", "a text of 1 to 120 characters"]),
        ({"structures__metal__miller": [0, 0, 0]}, ["structures.metal.miller", "name no plane"]),
        ({"structures__metal__miller": [1, 1]}, ["structures.metal.miller"]),
        ({"structures__slabs": {"n_layers": [5]}}, ["structures.slabs.n_layers", "[5]", "at least 2 items"]),
        ({"structures__slabs": {"n_layers": [0, 5]}}, ["structures.slabs.n_layers[0]", "a whole number >= 1"]),
        ({"structures__slabs": {"n_layers": [5, 5]}}, ["structures.slabs", "[5, 5]", "needs two thicknesses"]),
        ({"production__timestep_fs": "0,5"}, ["decimals are written with a point: 0.5"]),
        ({"production__frame_interval_ps": 0.001}, ["production", "shorter than timestep_fs (2)", "at least 0.002 ps"]),
        ({"production__frame_interval_ps": 500}, ["production", "longer than production_ps (50)"]),
        (
            {"training_set__trajectories": [{"cell": "metal", "temperatures_K": [300], "n_steps": 5}]},
            ["training_set.trajectories[0]", "sample_every (6) is larger than n_steps (5)"],
        ),
        ({"training_set__trajectories": [{"cell": "metal"}]}, ["training_set.trajectories[0]", "nothing is run"]),
        (
            {"training_set__trajectories": [{"cell": "slab", "temperatures_K": [300]}]},
            ["training_set.trajectories[0].cell", "must be one of", "Did you mean 'metal_slab'?"],
        ),
        ({"learning__stop_rule": "never"}, ["learning.stop_rule", "'no_break', 'no_candidate'"]),
        ({"learning__select_threshold": 12.0}, ["learning", "break_threshold (10.0) must be larger"]),
        ({"production": 3}, ["production", "it must be a mapping"]),
        ({"analysis__confidence": float("nan")}, ["analysis.confidence", "nan"]),
        ({"analysis__confidence": float("inf")}, ["analysis.confidence", "inf"]),
    ],
)
def test_what_a_wrong_value_gets(tmp_path, changes, expected):
    message = refusal(tmp_path, changed(**changes))
    assert "1 problem\n" in message
    assert [words for words in expected if words not in message] == []


def test_all_problems_come_at_once(tmp_path):
    message = refusal(tmp_path, changed(titel="x", seed=-1, production__timestep_fs="2 ps"))
    assert "3 problems" in message
    assert "Did you mean 'title'?" in message


def test_a_missing_key_is_described(tmp_path):
    config = copy.deepcopy(SETTINGS)
    del config["structures"]["metal"]["cif"]
    message = refusal(tmp_path, yaml.safe_dump(config))
    assert "structures.metal.cif: missing. CIF file" in message


def test_a_key_given_twice_is_refused(tmp_path):
    message = refusal(tmp_path, changed() + "seed: 1\nseed: 2\n")
    assert "seed (line " in message
    assert "given twice" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "this file holds nothing"),
        ("- a\n- b\n", "this file holds list"),
        ("a: [1\nb", "not valid YAML: line 2"),
        ("a: !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_files_that_are_no_config(tmp_path, text, expected):
    assert expected in refusal(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "smoke.yaml").touch()
    with pytest.raises(UserInputError, match=r"no such config file. Did you mean 'smoke.yaml'"):
        load_config(tmp_path / "smok.yaml")
    with pytest.raises(UserInputError, match="this is a folder"):
        load_config(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserInputError, match="not a text file"):
        load_config(tmp_path / "binary.yaml")


PAIR = {
    "recipe": "lms_lss_pair",
    "title": "a pair",
    "structures": {
        "cathode": {"cif": "a.cif", "miller": [1, 0, 0]},
        "electrolyte": {"cif": "b.cif", "miller": [1, 0, 0], "stand_in_for": "Li10Si2S9"},
    },
    "training_set": {
        "trajectories": [{"cell": "cathode", "temperatures_K": [300.0], "held_out_temperatures_K": [400.0]}]
    },
    "learning": {"cells": [{"cell": "electrolyte", "temperature_K": 300.0}]},
}


def test_each_recipe_has_settings_of_its_own(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(PAIR))
    loaded = load_config(path)
    assert isinstance(loaded, LmsLssPairSettings)
    assert (loaded.analysis.groups, loaded.analysis.framework) == ("region", True)
    assert loaded.structures.production_cell.vacancy_fraction == 0
    assert loaded.structures.stand_ins == {"electrolyte": "Li10Si2S9"}
    path.write_text(changed())
    assert isinstance(load_config(path), DecompositionInterfacesSettings)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"melting_point": {}}, ["melting_point (line", "unknown key"]),
        ({"production": {"fractions_of_melting_point": [0.5]}}, ["unknown key", "temperatures_K"]),
        ({"learning": {"cells": [{"cell": "metal", "temperature_K": 300}]}}, ["learning.cells[0].cell", "'cathode'"]),
        ({"recipe": "lms_lss_pairs"}, ["recipe (line", "Did you mean 'lms_lss_pair'?"]),
        ({"recipe": 3}, ["recipe (line", "3 is not allowed", "'decomposition_interfaces', 'lms_lss_pair'"]),
    ],
)
def test_keys_of_another_recipe_are_refused(tmp_path, changes, expected):
    message = refusal(tmp_path, yaml.safe_dump(PAIR | changes))
    assert "1 problem\n" in message
    assert [words for words in expected if words not in message] == []


def test_a_config_without_a_recipe_is_asked_for_one(tmp_path):
    message = refusal(tmp_path, yaml.safe_dump({name: value for name, value in PAIR.items() if name != "recipe"}))
    assert "recipe: missing. it must be one of 'decomposition_interfaces', 'lms_lss_pair'" in message
