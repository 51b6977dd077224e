import pytest
import yaml
from ase.build import bulk

from interfaceflow.core.errors import UserInputError
from interfaceflow.reference.engines import check_calculation
from interfaceflow.reference.engines.ase_calculator import with_package_version
from interfaceflow.reference.levels_of_theory import calculator_of, load_level_of_theory, packages_of
from interfaceflow.schemas.ase_calculator import AseSettings
from interfaceflow.schemas.level_of_theory import LevelOfTheory


def level_of(calculator, arguments=None, package_version="of this test"):
    physics = AseSettings(
        engine="ase", calculator=calculator, arguments=arguments or {}, package_version=package_version
    )
    return LevelOfTheory(name="mine", description="By import string", physics=physics)


def check(level):
    check_calculation(level, bulk("Cu"), "copper")


@pytest.mark.parametrize("calculator", ["ase.calculators.emt:EMT", "ase.calculators.emt.EMT"])
def test_a_calculator_is_found_by_either_way_of_writing(calculator):
    level = with_package_version(level_of(calculator, package_version=None))
    check(level)
    atoms = bulk("Cu")
    atoms.calc = calculator_of(level)
    assert atoms.get_stress().shape == (6,)


def test_the_version_of_the_package_is_filled_in_and_hashed(tmp_path):
    import ase

    content = {
        "name": "emt",
        "description": "EMT",
        "physics": {"engine": "ase", "calculator": "ase.calculators.emt:EMT"},
    }
    (tmp_path / "emt.yaml").write_text(yaml.safe_dump(content))
    level = load_level_of_theory("emt", tmp_path)
    assert level.physics.package_version == ase.__version__
    assert "ase" in packages_of(level)
    other = level.model_copy(update={"physics": level.physics.model_copy(update={"package_version": "3.0"})})
    argued = level.model_copy(update={"physics": level.physics.model_copy(update={"arguments": {"asap_cutoff": True}})})
    assert len({one.physics_hash for one in (level, other, argued)}) == 3
    with pytest.raises(UserInputError, match=r"package_version is 3\.0, and .* of ase is installed"):
        check(other)


@pytest.mark.parametrize(
    ("calculator", "message"),
    [
        ("no_such_package:Model", "cannot be imported.*install its package"),
        ("ase.calculators.emt:ETM", r"has no ETM\. Did you mean 'EMT'"),
        ("broken_calculators:NoCalculator", "is no ASE calculator"),
        ("broken_calculators:A_NUMBER", "is a int, no calculator class"),
        ("broken_calculators:WithoutStress", "gives no stress.*it gives energy, forces"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_computed(calculator, message):
    with pytest.raises(UserInputError, match=message):
        check(level_of(calculator))


def test_a_module_of_no_package_needs_a_version_of_its_own():
    with pytest.raises(UserInputError, match=r"set physics\.package_version"):
        with_package_version(level_of("broken_calculators:make_pairs", package_version=None))


def test_a_function_may_make_the_calculator():
    assert calculator_of(level_of("broken_calculators:make_pairs", {"epsilon": 0.1})).parameters["epsilon"] == 0.1
    with pytest.raises(UserInputError, match=r"does not take physics\.arguments.*epsilom"):
        calculator_of(level_of("broken_calculators:make_pairs", {"epsilom": 0.1}))
    with pytest.raises(UserInputError, match="is no ASE calculator"):
        calculator_of(level_of("broken_calculators:make_nothing"))


def test_several_ranks_are_refused_where_there_are_none():
    level = level_of("ase.calculators.emt:EMT", package_version=None).model_copy(update={"n_ranks": 2})
    with pytest.raises(UserInputError, match="computes on one rank, and n_ranks is 2"):
        check(level)
