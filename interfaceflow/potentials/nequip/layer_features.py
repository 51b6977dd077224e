"""The features of every layer: what extrapolation grades are made from."""

from __future__ import annotations

from typing import Any, Final

LAST_LAYER: Final = "node_features"
"""Field of what the last layer gives the readout: invariant features alone."""
_LAYER: Final = "_convnet"
_SAVED: Final = "_features"


def expose_layer_features(model: Any) -> tuple[str, ...]:
    """Make a network give the features of its hidden layers, too; return the names of all layers' fields, in order.

    Parameters
    ----------
    model
        NequIP's ``GraphModel``; changed.
    """
    from nequip.nn import SaveForOutput

    layers = model.model.func
    names = [name for name, _ in layers.named_children() if name.endswith(_LAYER)]
    for name in names[:-1]:
        saved = SaveForOutput(LAST_LAYER, f"{name}{_SAVED}", irreps_in=getattr(layers, name).irreps_out)
        layers.insert(f"{name}_saved", saved, after=name)
    return (*(f"{name}{_SAVED}" for name in names[:-1]), LAST_LAYER)


def is_layer_field(name: str) -> bool:
    """Tell whether a field holds the features of a layer."""
    return name.endswith(_SAVED)
