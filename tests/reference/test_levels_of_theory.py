import pytest
import yaml

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines import engine_of
from interfaceflow.reference.engines.engine import check_request
from interfaceflow.reference.levels_of_theory import load_level_of_theory

ARGON = {
    "name": "argon",
    "description": "Argon",
    "physics": {"engine": "lennard-jones", "sigma_A": 3.4, "epsilon_eV": 0.0104, "cutoff_A": 8.0},
}


def write(folder, content, name="argon"):
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


def test_the_installed_level_is_found():
    assert load_level_of_theory("chgnet").physics.engine == "chgnet"


def test_a_level_beside_the_config_comes_first(tmp_path):
    mine = ARGON | {"name": "chgnet"}
    write(tmp_path, mine, "chgnet")
    assert load_level_of_theory("chgnet", tmp_path).physics.engine == "lennard-jones"


def test_a_config_file_stands_for_its_folder(tmp_path):
    config = write(tmp_path, ARGON)
    config.write_text("recipe: x\n")
    assert load_level_of_theory("argon", config).name == "argon"


def test_an_unknown_level_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(
        UserInputError, match=r"no level of theory 'chgnt'\. Did you mean 'chgnet'\?.*Available: chgnet"
    ):
        load_level_of_theory("chgnt", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phyics": 1}, r"phyics: unknown key\. Did you mean 'physics'\?"),
        ({"physics": ARGON["physics"] | {"sigm_A": 3}}, r"sigm_A: unknown key\. Did you mean 'sigma_A'\?"),
        ({"physics": ARGON["physics"] | {"sigma_A": -3}}, r"sigma_A.*greater than 0 \(given: -3\)"),
        ({"physics": {"engine": "lennard-johns"}}, "'chgnet', 'lennard-jones'"),
        ({"name": "krypton"}, "calls itself 'krypton'"),
        ({"description": None}, "description"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path, change, message):
    write(tmp_path, ARGON | change)
    with pytest.raises(UserInputError, match=message):
        load_level_of_theory("argon", tmp_path)


def test_a_file_that_is_no_yaml_is_refused(tmp_path):
    (tmp_path / "argon.yaml").write_text("name: [argon\n")
    with pytest.raises(UserInputError, match="not a readable YAML file"):
        load_level_of_theory("argon", tmp_path)


def test_the_hash_follows_the_physics_alone(tmp_path):
    write(tmp_path, ARGON)
    level = load_level_of_theory("argon", tmp_path)
    described = level.model_copy(update={"description": "the same in other words"})
    changed = level.model_copy(update={"physics": level.physics.model_copy(update={"sigma_A": 3.5})})
    assert described.physics_hash == level.physics_hash != changed.physics_hash


def test_what_an_engine_cannot_do_is_refused(argon):
    engine = engine_of(load_level_of_theory("chgnet"))
    charged = argon.copy()
    charged.info["charge_e"] = 1.0
    with pytest.raises(UserInputError, match=r"charge of \+1 e.*knows only neutral"):
        check_request(engine, charged, "a vacancy")
    polonium = argon.copy()
    polonium.symbols[3] = "Po"
    with pytest.raises(UserInputError, match="does not know Po"):
        check_request(engine, polonium, "a cell")
    slab = argon.copy()
    slab.pbc = (True, True, False)
    with pytest.raises(UserInputError, match="not periodic in three dimensions"):
        check_request(engine, slab, "a slab")
    check_request(engine, argon, "a crystal")
