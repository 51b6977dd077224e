"""The process that compiles a network: ``python -m interfaceflow.potentials.nequip.compile_process``.

The compiled network gives, beside energies, forces and stress, the features that its layers make of each atom. NequIP's
own compile targets leave those out, and it wants the training set again for an example; here the example is a crystal
made from the species.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from ase import Atoms

from interfaceflow.potentials.nequip.layer_features import expose_layer_features
from interfaceflow.potentials.nequip.model import INPUTS, OUTPUTS

_SEED: Final = 1
_PER_EDGE: Final = 3
_RATTLE: Final = 0.05


def example_structure(species: Sequence[str], cutoff_radius_A: float) -> Atoms:
    """Return a rattled crystal of all species with neighbours within the cutoff radius: only its shape matters."""
    spacing = 0.55 * cutoff_radius_A
    grid = np.stack(np.meshgrid(*[np.arange(_PER_EDGE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    positions = spacing * grid
    positions += np.random.default_rng(_SEED).normal(scale=_RATTLE * spacing, size=grid.shape)
    symbols = [species[index % len(species)] for index in range(len(grid))]
    return Atoms(symbols, positions=positions, cell=[_PER_EDGE * spacing] * 3, pbc=True)


def compile_checkpoint(checkpoint: str, output: str, device: str) -> None:
    """Compile the network of a checkpoint for one configuration at a time, of any size."""
    from nequip.data import AtomicDataDict, from_ase
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
    from nequip.model.saved_models.load_utils import load_saved_model
    from nequip.utils.aot import aot_export_model
    from nequip.utils.aoti_metadata import NEQUIP_AOTI_INPUTS_KEY, NEQUIP_AOTI_OUTPUTS_KEY, serialize_aoti_keys
    from nequip.utils.global_state import get_latest_global_state, set_global_state

    set_global_state()
    model = load_saved_model(checkpoint)
    outputs = [*OUTPUTS, *expose_layer_features(model)]
    facts: dict[str, Any] = {**model.metadata, **get_latest_global_state(only_metadata_related=True)}
    metadata = {key: str(int(value)) if isinstance(value, bool) else str(value) for key, value in facts.items()}
    metadata[NEQUIP_AOTI_INPUTS_KEY] = serialize_aoti_keys(list(INPUTS))
    metadata[NEQUIP_AOTI_OUTPUTS_KEY] = serialize_aoti_keys(outputs)

    species, cutoff = metadata["type_names"].split(), float(metadata["r_max"])
    data = from_ase(example_structure(species, cutoff))
    data = NeighborListTransform(cutoff)(ChemicalSpeciesToAtomTypeMapper(species)(data))
    data = AtomicDataDict.to_(data, torch.device(device))
    any_number = torch.export.Dim
    aot_export_model(
        model=model,
        device=torch.device(device),
        input_fields=list(INPUTS),
        output_fields=outputs,
        data={key: data[key] for key in INPUTS},
        batch_map={
            "graph": any_number.STATIC,
            "node": any_number("num_nodes", min=2),
            "edge": any_number("num_edges", min=2),
        },
        output_path=output,
        inductor_configs={"aot_inductor.metadata": metadata},
        seed=_SEED,
    )


if __name__ == "__main__":
    compile_checkpoint(*sys.argv[1:])
