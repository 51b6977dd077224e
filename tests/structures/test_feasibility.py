import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.schemas.recipes import CathodeElectrolyteStructuresSettings, CompoundSettings
from interfaceflow.schemas.settings import CrystalSettings, InterfaceSettings, SlabSettings, StructuresSettings
from interfaceflow.structures.feasibility import RELAXATION_STRAIN, check_pair


def structures(binary_miller=(1, 0, 0), **interface) -> StructuresSettings:
    return StructuresSettings(
        metal=CrystalSettings(cif="Li.cif", miller=(1, 1, 0)),
        binary=CrystalSettings(cif="LiCl.cif", miller=binary_miller),
        slabs=SlabSettings(n_layers=(3, 5)),
        interface=InterfaceSettings(**{"max_area_A2": 90, **interface}),
    )


def test_a_pair_that_fits_is_left_alone(crystals):
    check_pair(crystals["Li"], crystals["LiCl"], structures())


@pytest.mark.parametrize("limits", [{"max_area_A2": 5}, {"max_atoms": 20}])
def test_a_pair_out_of_reach_is_refused_with_the_nearest_miss(crystals, limits):
    (name,) = limits
    with pytest.raises(UserInputError, match=rf"structures\.interface: .*lattices of the CIF.*nearest miss.*{name}"):
        check_pair(crystals["Li"], crystals["LiCl"], structures(**limits))


def test_what_relaxation_may_bring_within_the_limits_is_not_refused(crystals):
    strained = crystals["Li"].copy()
    strained.set_cell(strained.cell.array * (1 + 0.9 * RELAXATION_STRAIN), scale_atoms=True)
    check_pair(strained, crystals["Li"], structures(binary_miller=(1, 1, 0), max_strain=0.001))
    strained.set_cell(crystals["Li"].cell.array * (1 + 2 * RELAXATION_STRAIN), scale_atoms=True)
    with pytest.raises(UserInputError, match="max_strain"):
        check_pair(strained, crystals["Li"], structures(binary_miller=(1, 1, 0), max_strain=0.001, max_area_A2=30))


def test_exchanged_crystals_are_recognised(crystals):
    with pytest.raises(UserInputError, match="metal is LiCl and binary is Li; the two look exchanged"):
        check_pair(crystals["LiCl"], crystals["Li"], structures())


def test_a_polar_surface_is_refused_by_its_key(crystals):
    with pytest.raises(UserInputError, match=r"structures\.binary: LiCl\(111\)"):
        check_pair(crystals["Li"], crystals["LiCl"], structures(binary_miller=(1, 1, 1)))


def test_a_compound_without_oxidation_states_is_refused_by_its_key(crystals):
    neon = crystals["LiCl"].copy()
    neon.symbols[neon.symbols == "Cl"] = "Ne"
    with pytest.raises(UserInputError, match=r"structures\.binary\.cif: LiNe: no common oxidation states"):
        check_pair(crystals["Li"], neon, structures())


def test_an_element_is_neither_cathode_nor_electrolyte(crystals):
    pair = CathodeElectrolyteStructuresSettings(
        cathode=CompoundSettings(cif="Li.cif", miller=(1, 1, 0)),
        electrolyte=CompoundSettings(cif="LiCl.cif", miller=(1, 0, 0)),
    )
    with pytest.raises(UserInputError, match=r"structures\.cathode: Li is an element; .*recipe decomposition_interf"):
        check_pair(crystals["Li"], crystals["LiCl"], pair)


def test_two_compounds_need_no_slabs_but_a_match(crystals):
    pair = CathodeElectrolyteStructuresSettings(
        cathode=CompoundSettings(cif="Li2S.cif", miller=(1, 1, 0)),
        electrolyte=CompoundSettings(cif="Li2S.cif", miller=(1, 1, 0)),
    )
    check_pair(crystals["Li2S"], crystals["Li2S"], pair)
    limited = pair.model_copy(update={"interface": pair.interface.model_copy(update={"max_atoms": 4})})
    with pytest.raises(UserInputError, match=r"on Li2S\(110\) and \d+ atoms; it fails max_atoms"):
        check_pair(crystals["Li2S"], crystals["Li2S"], limited)
