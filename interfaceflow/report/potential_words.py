"""What a page says about each kind of potential."""

from __future__ import annotations

from interfaceflow.schemas.datasets import AseDetails, MtpDetails, NequIPDetails, PotentialDoc
from interfaceflow.schemas.learning import LearningRoundDoc
from interfaceflow.schemas.nequip import NequIPSettings
from interfaceflow.schemas.settings import AseSettings, MtpSettings, PotentialSettings, ZBLSettings
from interfaceflow.store.results import FlowResults

NO_GRADE = (
    "This potential has no extrapolation grade: nothing tells when a run leaves what it knows, only distances and the "
    "volume were watched, and no configuration was chosen to learn from."
)
_NO_COULOMB = (
    "There is no long-range Coulomb interaction, so no space charge, no applied potential and no change of redox "
    "state; ions that gather at the interface are to be read with that in mind."
)

_GRADES = {
    "latent": "Its extrapolation grade is the D-optimality of the features that its layers make.",
    "committee": "Its extrapolation grade is the spread of a committee of networks, in units of the largest spread "
    "on the training set.",
}


def last_potential(results: FlowResults) -> PotentialDoc | None:
    """Return the potential that a flow has come to, or nothing."""
    rounds = results.all_of(LearningRoundDoc)
    return rounds[-1].potential if rounds else results.last_of(PotentialDoc)


def name_potential(settings: PotentialSettings) -> str:
    """Return the kind of potential that a config asks for, in a few words."""
    match settings:
        case MtpSettings():
            return f"moment tensor potential of level {settings.level}"
        case NequIPSettings():
            return f"NequIP network of {settings.n_layers} layers, l ≤ {settings.l_max}"
        case AseSettings():
            return f"ASE calculator {settings.calculator}"


def describe_potential(potential: PotentialDoc) -> str:
    """Return what a potential is and what it was fitted to, in a sentence or two."""
    species = ", ".join(potential.species)
    match potential.model:
        case MtpDetails() as mtp:
            return (
                f"Moment tensor potential of level {mtp.level}, cutoff {potential.cutoff_radius_A:g} Å, species "
                f"{species}, fitted by the {mtp.engine} engine to {potential.n_training} configurations."
                f"{_repulsion_words(mtp.zbl)}"
            )
        case NequIPDetails() as network:
            return (
                f"NequIP network of {network.n_layers} layers, l ≤ {network.l_max}, {network.n_features} features, "
                f"cutoff {potential.cutoff_radius_A:g} Å a layer, species {species}, trained for {network.epochs} "
                f"epochs on {potential.n_training} configurations (some of them chose the epoch to keep), "
                f"{network.precision}, compiled for {network.device}. {_GRADES[network.grade]}"
            )
        case AseDetails() as ase:
            return f"ASE calculator {ase.calculator}, used as it is for {species}, not fitted to any configuration."


def limit_of(settings: PotentialSettings) -> str:
    """Return what a kind of potential cannot know."""
    match settings:
        case MtpSettings():
            return f"A moment tensor potential sees no further than its cutoff. {_NO_COULOMB}"
        case NequIPSettings():
            reach = settings.n_layers * settings.cutoff_radius_A
            return f"A network of {settings.n_layers} layers sees no further than {reach:g} Å. {_NO_COULOMB}"
        case AseSettings():
            return f"The calculator {settings.calculator} was not fitted to the labels of this flow. {NO_GRADE}"


def _repulsion_words(zbl: ZBLSettings | None) -> str:
    if zbl is None:
        return ""
    return (
        " The screened nuclear repulsion of Ziegler, Biersack and Littmark (doi:10.1007/978-1-4615-8103-1_3), switched "
        f"off between {zbl.inner_cutoff_A:g} and {zbl.outer_cutoff_A:g} Å, was subtracted from the labels before the "
        "fit and is added wherever the potential is used."
    )
