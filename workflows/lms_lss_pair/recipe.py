"""A sulfide cathode against a sulfide electrolyte: their interface, a potential, and lithium's motion by region."""

from __future__ import annotations

from jobflow.core.flow import Flow

from interfaceflow.flows.pair_transport import PairTransportMaker
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.recipes import LmsLssPairSettings


def build_flow(settings: LmsLssPairSettings, inputs: RecipeInputs) -> Flow:
    """Return the recipe's flow.

    Parameters
    ----------
    settings
        The config file, checked.
    inputs
        The files it names, copied into the project.
    """
    return PairTransportMaker(settings=settings, level=inputs.level_of_theory).make(inputs.cifs)
