"""A network at work: energies, forces, stress and latent features of configurations."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from interfaceflow.core.errors import UserInputError, suggest_name
from interfaceflow.potentials.nequip.layer_features import LAST_LAYER, expose_layer_features, is_layer_field
from interfaceflow.potentials.nequip.model_files import (
    COMPILED_SUFFIX,
    ModelFile,
    ModelInfo,
    check_fits,
    read_compiled_info,
)

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# A network is compiled for two atoms and two pairs at least.
_LEAST_SIZE: Final = 2
INPUTS: Final = ("pos", "edge_index", "atom_types", "cell", "edge_cell_shift")
"""Fields a network takes, in order."""
OUTPUTS: Final = ("atomic_energy", "total_energy", "forces", "stress")
"""Fields it gives, before the layers' features."""
_OF_THE_CELL: Final = ("total_energy", "stress")


@dataclass(frozen=True)
class NequIPResult:
    """What a network gives for one configuration.

    Attributes
    ----------
    energy_eV
        Energy whose gradient the forces are, eV.
    site_energies_eV
        Share of each atom, shape (n_atoms,), eV.
    forces_eV_A
        Shape (n_atoms, 3), eV/Å.
    stress_eV_A3
        Voigt order (xx, yy, zz, yz, xz, xy), tension positive as in ASE, shape (6,), eV/Å3; None without a volume.
    features
        Invariant features of each atom, layer after layer, shape (n_atoms, n_layers * n_features), dimensionless; the
        last layer's are what the readout takes.
    """

    energy_eV: float
    site_energies_eV: FloatArray
    forces_eV_A: FloatArray
    stress_eV_A3: FloatArray | None
    features: FloatArray


class NequIPModel:
    """A network that is loaded; see `load_model`.

    Parameters
    ----------
    file
        Where it came from.
    info
        What it says about itself.
    network
        Takes the tensors of ``info.inputs`` in order and gives those of ``info.outputs``.
    """

    def __init__(self, file: ModelFile, info: ModelInfo, network: Callable[[list[Tensor]], Sequence[Tensor]]) -> None:
        self.file = file
        self.info = info
        self._network = network
        self._type_of = {symbol: index for index, symbol in enumerate(info.species)}

    def types_of(self, atoms: Atoms) -> IntArray:
        """Return the network's type of each atom, shape (n_atoms,).

        Raises
        ------
        UserInputError
            If the network does not know an element.
        """
        symbols = atoms.get_chemical_symbols()
        for symbol in sorted(set(symbols) - set(self.info.species)):
            raise UserInputError(
                f"the network does not know {symbol}; it was trained for {', '.join(self.info.species)}."
                f"{suggest_name(symbol, self.info.species)} Train a network with {symbol} in its training set"
            )
        return np.array([self._type_of[symbol] for symbol in symbols], dtype=np.int64)

    def compute(self, atoms: Atoms) -> NequIPResult:
        """Compute one configuration. Images of atoms within the cutoff radius are found for cells of any size.

        Raises
        ------
        UserInputError
            If the network does not know an element, or there is no atom.
        """
        if not len(atoms):
            raise UserInputError("a configuration without atoms has no energy; give one atom at least")
        graph = build_graph(atoms, self.types_of(atoms), self.info.cutoff_radius_A)
        return self._unpack(self.compute_graph(graph), atoms)

    def compute_graph(self, graph: Graph) -> dict[str, FloatArray]:
        """Compute a graph of atoms and pairs; return the fields of ``info.outputs`` as arrays.

        For programs that have neighbour lists of their own. Atoms without a pair get their species' shift as energy.
        """
        import torch

        n_atoms = len(graph.types)
        padded = graph.padded(self.info.cutoff_radius_A)
        arrays = (padded.positions, padded.pairs, padded.types, padded.cell[None], padded.shifts)
        tensors = [torch.from_numpy(np.ascontiguousarray(array)).to(self.info.device) for array in arrays]
        outputs = dict(zip(self.info.outputs, self._network(tensors), strict=True))
        found = {name: value.detach().cpu().numpy().astype(np.float64) for name, value in outputs.items()}
        return {name: value if name in _OF_THE_CELL else value[:n_atoms] for name, value in found.items()}

    def _unpack(self, found: dict[str, FloatArray], atoms: Atoms) -> NequIPResult:
        site_energies = found["atomic_energy"].reshape(-1)
        stress = None
        if atoms.cell.rank == 3:
            full = found["stress"].reshape(3, 3)
            stress = np.array([full[0, 0], full[1, 1], full[2, 2], full[1, 2], full[0, 2], full[0, 1]])
        features = np.zeros((len(atoms), 0))
        if LAST_LAYER in found:
            # A hidden layer's invariant features come first, and are as many as the last layer's.
            n_features = found[LAST_LAYER].shape[1]
            layers = [found[name][:, :n_features] for name in self.info.outputs if is_layer_field(name)]
            features = np.concatenate(layers, axis=1)
        return NequIPResult(float(site_energies.sum()), site_energies, found["forces"], stress, features)


@dataclass(frozen=True)
class Graph:
    """Atoms and the pairs of them within the cutoff radius.

    Attributes
    ----------
    positions
        Shape (n_atoms, 3), Å.
    types
        The network's types, shape (n_atoms,).
    cell
        Lattice vectors as rows, shape (3, 3), Å.
    pairs
        Centre and neighbour of each pair, shape (2, n_pairs); every pair is there in both directions.
    shifts
        Whole lattice vectors to add to the neighbour's position, shape (n_pairs, 3).
    """

    positions: FloatArray
    types: IntArray
    cell: FloatArray
    pairs: IntArray
    shifts: FloatArray

    def padded(self, cutoff_radius_A: float) -> Graph:
        """Return the graph with atoms and pairs enough for a compiled network.

        What is added changes nothing: an atom that has no neighbour, and pairs of it with images of itself further
        apart than the cutoff radius.
        """
        if len(self.types) >= _LEAST_SIZE and self.pairs.shape[1] >= _LEAST_SIZE:
            return self
        added = max(_LEAST_SIZE - len(self.types), 1)
        last = len(self.types)
        far = np.ceil(2.0 * cutoff_radius_A / np.linalg.norm(self.cell[0]))
        steps = np.array([[far, 0.0, 0.0], [-far, 0.0, 0.0]])
        return Graph(
            np.concatenate([self.positions, np.repeat(self.positions[:1], added, axis=0)]),
            np.concatenate([self.types, np.repeat(self.types[:1], added)]),
            self.cell,
            np.concatenate([self.pairs, np.full((2, 2), last)], axis=1),
            np.concatenate([self.shifts, steps]),
        )


def build_graph(atoms: Atoms, types: IntArray, cutoff_radius_A: float) -> Graph:
    """Find the pairs of a configuration.

    Parameters
    ----------
    atoms
        Periodic in any directions; positions need not be wrapped.
    types
        The network's types, shape (n_atoms,).
    cutoff_radius_A
        Largest distance of a pair, Å.
    """
    from matscipy.neighbours import neighbour_list

    periodic = atoms.pbc
    cell = np.array(atoms.cell.array, dtype=float)
    if not periodic.all():
        cell = _completed(cell, atoms.positions, cutoff_radius_A)
    positions = np.array(atoms.positions, dtype=float)
    centres, neighbours, shifts = neighbour_list(
        "ijS", cutoff=cutoff_radius_A, positions=positions, cell=cell, pbc=periodic
    )
    pairs = np.stack([centres, neighbours]).astype(np.int64)
    return Graph(positions, types, cell, pairs, shifts.astype(float))


def _completed(cell: FloatArray, positions: FloatArray, cutoff_radius_A: float) -> FloatArray:
    """Return a cell whose missing vectors are replaced by ones at right angles, longer than the matter."""
    from ase.geometry import complete_cell

    missing = np.linalg.norm(cell, axis=1) == 0
    whole = np.array(complete_cell(cell), dtype=float)
    length = float(np.ptp(positions, axis=0).max()) + 2.0 * cutoff_radius_A
    whole[missing] *= length / np.linalg.norm(whole[missing], axis=1)[:, None]
    return whole


def load_model(file: ModelFile, *, device: str = "cpu", species: Sequence[str] | None = None) -> NequIPModel:
    """Load a network, compiled or not.

    Parameters
    ----------
    file
        A compiled network (``.nequip.pt2``; the fast way), a package or a checkpoint.
    device
        ``"cpu"`` or ``"cuda"``.
    species
        Elements it has to know; None for any.

    Raises
    ------
    DataFileError
        If the file is not the one that was recorded, or is damaged.
    UserInputError
        If it was compiled for another device, or does not know an element.
    """
    path = file.checked()
    if path.name.endswith(COMPILED_SUFFIX):
        info = read_compiled_info(path)
        check_fits(info, path, device=device, species=species)
        return NequIPModel(file, info, _load_compiled(str(path)))
    info, network = _load_eager(str(path), device)
    check_fits(info, path, device=device, species=species)
    return NequIPModel(file, info, network)


def _load_compiled(path: str) -> Callable[[list[Tensor]], Sequence[Tensor]]:
    import torch
    from torch._inductor import aoti_load_package, codecache  # noqa: F401  (aoti_load_package needs codecache)

    compiled = aoti_load_package(path)

    def network(inputs: list[Tensor]) -> Sequence[Tensor]:
        with torch.inference_mode():
            outputs: Sequence[Tensor] = compiled(inputs)
        return outputs

    return network


def _load_eager(path: str, device: str) -> tuple[ModelInfo, Callable[[list[Tensor]], Sequence[Tensor]]]:
    with _unchanged_global_state(), warnings.catch_warnings():
        # NequIP calls what PyTorch has deprecated; nothing a user can do about it.
        warnings.simplefilter("ignore")
        from nequip.model.saved_models.load_utils import load_saved_model
        from nequip.utils.global_state import set_global_state

        set_global_state()
        model = load_saved_model(path).to(device).eval()
        outputs = (*OUTPUTS, *expose_layer_features(model))
    facts = model.metadata
    info = ModelInfo(
        species=tuple(facts["type_names"].split()),
        cutoff_radius_A=float(facts["r_max"]),
        device=device,
        precision=facts["model_dtype"],
        inputs=INPUTS,
        outputs=outputs,
    )

    def network(inputs: list[Tensor]) -> Sequence[Tensor]:
        found: dict[str, Any] = model(dict(zip(INPUTS, inputs, strict=True)))
        return [found[name] for name in outputs]

    return info, network


@contextmanager
def _unchanged_global_state() -> Iterator[None]:
    """Put back the random numbers and PyTorch's default type, which NequIP sets for the whole process."""
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype = torch.get_default_dtype()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        torch.set_default_dtype(dtype)
