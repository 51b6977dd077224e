"""Flow: a potential that knows where it may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.core.labels import PhaseLabel
from interfaceflow.jobs.datasets import sample_training_set
from interfaceflow.jobs.learning import build_learning_starts, explore
from interfaceflow.jobs.potentials import category_of, evaluate_potential, train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import RecipeSettings


def plan_learning(settings: RecipeSettings, level: LevelOfTheory) -> LearningPlan:
    """Return what sampling, fitting and learning need to know of a recipe."""
    return LearningPlan(
        training_set=settings.training_set,
        potential=settings.potential,
        learning=settings.learning,
        vacancies=settings.structures.production_cell,
        level=level,
        reference=settings.reference,
        seed=settings.seed,
    )


@dataclass
class PotentialLearningMaker(Maker):
    """Sample a training set, fit a potential, and let MD find what it does not know yet.

    1. ``sample training set``: short reference MD over temperatures and strains
    2. ``train potential``: the first fit
    3. ``learning starts``: the cells and temperatures of every round
    4. ``explore round 0``: guarded MD; where it breaks, the job replaces itself by ``select``, ``label``,
       ``retrain`` and ``explore round 1``, and so on, until a round ends without a break; a potential without an
       extrapolation grade has this one round
    5. ``evaluate potential``: parity on configurations the fit never saw

    Attributes
    ----------
    plan
        Settings of sampling, fitting and learning.

    Examples
    --------
    >>> PotentialLearningMaker(plan=plan).make(bulk, relaxed, bulk_cell_atoms=54)  # doctest: +SKIP
    """

    name: str = "potential learning"
    plan: LearningPlan = field(kw_only=True)

    def make(
        self,
        bulk: Mapping[PhaseLabel, OutputReference],
        relaxed: OutputReference,
        bulk_cell_atoms: int,
        *,
        slabs: Mapping[str, OutputReference] | None = None,
    ) -> Flow:
        """Make the flow; its output is the reference to the last ``LearningRoundDoc``.

        Parameters
        ----------
        bulk, relaxed
            References to the RelaxationDocs of both bulk crystals, by phase, and of the interface.
        bulk_cell_atoms
            Learning cells of a bulk crystal have about this many atoms.
        slabs
            Those of slabs by the names that the ladder uses, where it has any.
        """
        plan = self.plan
        category = category_of(plan.potential)
        cells: dict[str, OutputReference] = dict(bulk.items()) | dict(slabs or {}) | {"interface": relaxed}
        sampling = wire(
            sample_training_set(cells, plan.training_set, plan.level, plan.reference, plan.seed),
            "sample training set",
            "dft",
        )
        training = wire(train_potential(sampling.output, plan.potential, plan.seed), "train potential", category)
        starts = wire(build_learning_starts(bulk, relaxed, plan, bulk_cell_atoms), "learning starts", "light")
        exploring = wire(explore(sampling.output, training.output, starts.output, plan, 0), "explore round 0", category)
        evaluation = wire(
            evaluate_potential(exploring.output.dataset, exploring.output.potential), "evaluate potential", category
        )
        return Flow([sampling, training, starts, exploring, evaluation], output=exploring.output, name=self.name)
