"""Metal against a product of its electrolyte's decomposition: energies, a potential, and lithium's motion."""

from __future__ import annotations

from jobflow.core.flow import Flow

from interfaceflow.flows.interface_transport import InterfaceTransportMaker
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings


def build_flow(settings: DecompositionInterfacesSettings, inputs: RecipeInputs) -> Flow:
    """Return the recipe's flow.

    Parameters
    ----------
    settings
        The config file, checked.
    inputs
        The files it names, copied into the project.
    """
    maker = InterfaceTransportMaker(settings=settings, level=inputs.level_of_theory)
    return maker.make(inputs.cifs)
