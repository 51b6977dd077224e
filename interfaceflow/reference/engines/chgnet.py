"""The CHGNet engine: Deng et al., Nat. Mach. Intell. 5, 1031 (2023), doi:10.1038/s42256-023-00716-3.

CHGNet's own ASE calculator differentiates the energy twice, once for forces and once for the stress, and records both
for training. The calculator here takes both from one pass, which gives the same numbers in less than half the time.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from interfaceflow.reference.engines.engine import Engine
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LevelOfTheory

Array = NDArray[np.float64]

_LARGEST_ATOMIC_NUMBER: Final = 94
_NOT_IN_ITS_TRAINING_DATA: Final = frozenset({"Po", "At", "Rn", "Fr", "Ra"})


class ChgnetCalculator(Calculator):
    """CHGNet as an ASE calculator: energy, forces, stress and magnetic moments in one pass, on one CPU thread.

    There is no smearing in it, so ``energy`` and ``free_energy`` are the same number.

    Parameters
    ----------
    weights
        Version of the pretrained weights.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "magmoms"]  # noqa: RUF012 - as ASE has it

    def __init__(self, weights: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        with contextlib.redirect_stdout(io.StringIO()):
            from chgnet.model.model import CHGNet

            model = CHGNet.load(model_name=weights, use_device="cpu", verbose=False)
        model.eval()
        model.requires_grad_(requires_grad=False)
        model.graph_converter.set_isolated_atom_response("error")
        self._model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute all properties of a periodic configuration.

        Raises
        ------
        ValueError
            If an atom has no neighbour within CHGNet's cutoff of 6 Å, where CHGNet is meaningless.
        """
        assert atoms is not None
        super().calculate(atoms, list(properties), list(system_changes))  # type: ignore[no-untyped-call]
        energy_per_atom, gradient, strain_gradient, moments = self._differentiate(atoms)
        energy = energy_per_atom * len(atoms)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": -gradient,
            "stress": full_3x3_to_voigt_6_stress(strain_gradient / atoms.get_volume()),
            "magmoms": moments,
        }

    def _differentiate(self, atoms: Atoms) -> tuple[float, Array, Array, Array]:
        """Return the energy per atom, the total energy's gradients by position and by strain, and the moments."""
        import torch
        from chgnet.model.model import BatchedGraph
        from pymatgen.core.lattice import Lattice
        from pymatgen.core.structure import Structure

        # Single precision inside: fractions in [0, 1) lose none of it to atoms that have wandered off.
        structure = Structure(Lattice(atoms.cell.array), atoms.numbers, atoms.get_scaled_positions(wrap=True))
        model = self._model
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Converting a tensor with requires_grad=True", UserWarning)
            graph = model.graph_converter(structure)
            batch = BatchedGraph.from_graphs(
                [graph],
                bond_basis_expansion=model.bond_basis_expansion,
                angle_basis_expansion=model.angle_basis_expansion,
                compute_stress=True,
            )
        with _denormals_flushed():
            prediction = model._compute(batch, compute_magmom=True)
            gradient, strain_gradient = torch.autograd.grad(
                prediction["e"].sum() * len(structure), [batch.atom_positions[0], batch.strains[0]]
            )
        energy = (prediction["e"].detach() + model.composition_model([graph])).item()
        moments = prediction["m"][0].detach()
        return energy, *(tensor.numpy().astype(float) for tensor in (gradient, strain_gradient, moments))


@contextlib.contextmanager
def _denormals_flushed() -> Iterator[None]:
    """Take numbers below 1e-38 as zero: gradients of bonds at the cutoff are, and are 100 times slower otherwise."""
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _make_calculator(level: LevelOfTheory) -> Calculator:
    settings = level.physics
    assert isinstance(settings, ChgnetSettings)
    return ChgnetCalculator(settings.weights)


ENGINE = Engine(
    name="chgnet",
    packages=("chgnet", "torch", "pymatgen", "ase"),
    elements=frozenset(chemical_symbols[1 : _LARGEST_ATOMIC_NUMBER + 1]) - _NOT_IN_ITS_TRAINING_DATA,
    charged_cells=False,
    make_calculator=_make_calculator,
)
