import warnings

import numpy as np
import pytest

from interfaceflow.core.errors import UserInputError
from interfaceflow.schemas.settings import InterfaceSettings
from interfaceflow.structures.matching import choose_match, find_matches
from interfaceflow.structures.surfaces import orient_crystal

LI, LICL = 3.510, 5.1396


def test_the_smallest_match_of_lithium_and_lithium_chloride(crystals):
    # Li(110) has a rectangular cell a x a sqrt2, LiCl(100) a square one of side a / sqrt2. Three long lithium
    # sides meet four of LiCl, one short side meets one.
    match = find_matches(
        orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0)), 60, 0.05
    )
    side = LICL / np.sqrt(2)
    assert len(match) == 1
    assert match[0].area_A2 == pytest.approx(4 * side**2)
    assert match[0].principal_strains == pytest.approx((side / LI - 1, 4 * side / (3 * LI * np.sqrt(2)) - 1))
    assert (match[0].strained_multiple, match[0].kept_multiple) == (6, 4)


def test_the_deformation_maps_the_metal_onto_the_binary(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 0, 0)), orient_crystal(crystals["Li3P"], (0, 0, 1))
    for match in find_matches(metal, binary, 160, 0.06):
        binary_cell = match.kept_matrix @ binary.in_plane
        assert np.allclose(match.strained_matrix @ metal.in_plane @ match.deformation, binary_cell)
        assert np.linalg.det(binary_cell) == pytest.approx(match.area_A2)
        assert match.strained_multiple * np.linalg.det(metal.in_plane) * np.prod(
            np.add(match.principal_strains, 1)
        ) == pytest.approx(match.area_A2)


def test_a_crystal_matches_itself_without_strain(copper):
    surface = orient_crystal(copper, (1, 1, 1))
    first = find_matches(surface, surface, 3 * 3.6**2, 0.02)[0]
    assert first.principal_strains == pytest.approx((0.0, 0.0), abs=1e-12)
    assert (first.strained_multiple, first.kept_multiple) == (1, 1)


@pytest.mark.slow
def test_every_match_of_pymatgen_is_found(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["Li2S"], (1, 1, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pymatgen.analysis.interfaces.zsl import ZSLGenerator
    generator = ZSLGenerator(max_area=70, max_length_tol=0.06, max_angle_tol=0.08, max_area_ratio_tol=0.12)
    theirs = set()
    for found in generator(*(np.pad(side.in_plane, ((0, 0), (0, 1))) for side in (metal, binary))):
        cells = np.array(found.film_sl_vectors)[:, :2], np.array(found.substrate_sl_vectors)[:, :2]
        high, low = np.linalg.svd(np.linalg.solve(*cells), compute_uv=False) - 1
        if max(abs(high), abs(low)) < 0.06:
            theirs.add((round(abs(np.linalg.det(cells[1])), 2), round(high, 4), round(low, 4)))
    ours = {
        (round(match.area_A2, 2), *(round(strain, 4) for strain in match.principal_strains))
        for match in find_matches(metal, binary, 77, 0.06)
    }
    assert theirs
    assert theirs <= ours


def test_the_choice_is_the_smallest_area_then_the_smallest_strain(crystals):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["Li2S"], (1, 1, 0))
    settings = InterfaceSettings(max_strain=0.1, max_area_A2=80, max_atoms=200)
    candidates = find_matches(metal, binary, settings.max_area_A2, settings.max_strain)
    chosen = choose_match(metal, binary, (5, 5), settings)
    assert chosen.area_A2 == pytest.approx(min(match.area_A2 for match in candidates))
    assert chosen.largest_strain == min(
        match.largest_strain for match in candidates if match.area_A2 < chosen.area_A2 * 1.01
    )


@pytest.mark.parametrize(
    ("limits", "failed"),
    [
        ({"max_area_A2": 40.0, "max_strain": 0.05}, "fails max_area_A2"),
        ({"max_area_A2": 60.0, "max_strain": 0.03}, "fails max_strain"),
        ({"max_area_A2": 60.0, "max_atoms": 50}, "fails max_atoms"),
    ],
)
def test_no_match_names_the_nearest_miss_and_the_limit_it_fails(crystals, limits, failed):
    metal, binary = orient_crystal(crystals["Li"], (1, 1, 0)), orient_crystal(crystals["LiCl"], (1, 0, 0))
    with pytest.raises(UserInputError, match=r"area of 52\.8 Å2, principal strains of \+3\.54% and -2\.38%") as refusal:
        choose_match(metal, binary, (5, 4), InterfaceSettings(**limits))
    assert "62 atoms" in str(refusal.value)
    assert failed in str(refusal.value)
