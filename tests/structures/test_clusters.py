from typing import get_args

import numpy as np
import pytest

from interfaceflow.structures.clusters import CHARGE, ClusterName, build_cluster, stretch_bond


@pytest.mark.parametrize("name", get_args(ClusterName))
def test_one_bond_is_stretched_and_nothing_else(name):
    cluster = build_cluster(name)
    before = cluster.atoms.get_all_distances()
    stretched = stretch_bond(cluster, cluster.distance_A + 0.3, box_A=15.0)
    after = stretched.get_all_distances(mic=True)
    moved = np.isin(np.arange(len(before)), cluster.moved)
    assert after[0, 1] == pytest.approx(before[0, 1] + 0.3)
    for group in (moved, ~moved):
        assert np.allclose(after[np.ix_(group, group)], before[np.ix_(group, group)])
    assert stretched.info[CHARGE] == cluster.charge_e
    assert stretched.pbc.all()
    assert np.allclose(stretched.cell.lengths(), 15.0)


@pytest.mark.parametrize(
    ("name", "bond", "charge", "n_moved"),
    [
        ("BH4-", "B-H", -1, 1),
        ("PS4^3-", "P-S", -3, 1),
        ("CN-", "C-N", -1, 1),
        ("H2", "H-H", 0, 1),
        ("C2H6", "C-C", 0, 4),
    ],
)
def test_what_the_clusters_are(name, bond, charge, n_moved):
    cluster = build_cluster(name)
    assert (cluster.bond, cluster.charge_e, len(cluster.moved)) == (bond, charge, n_moved)


def test_tetrahedra_are_regular():
    distances = build_cluster("BF4-").atoms.get_all_distances()
    assert np.allclose(distances[0, 1:], 1.41)
    assert np.allclose(distances[1, 2:], 1.41 * np.sqrt(8 / 3))
