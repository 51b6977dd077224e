"""Flow: a potential that knows where it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.jobs.datasets import sample_training_set
from interfaceflow.jobs.learning import build_learning_starts, explore
from interfaceflow.jobs.potentials import category_of, evaluate_potential, train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.learning_plan import LearningPlan


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
    >>> PotentialLearningMaker(plan=plan).make(metal, binary, relaxed)  # doctest: +SKIP
    """

    name: str = "potential learning"
    plan: LearningPlan = field(kw_only=True)

    def make(
        self,
        metal: OutputReference,
        binary: OutputReference,
        relaxed: OutputReference,
    ) -> Flow:
        """Make the flow; its output is the reference to the last ``LearningRoundDoc``.

        Parameters
        ----------
        metal, binary, relaxed
            References to the RelaxationDocs of both bulk crystals and of the interface.
        """
        plan = self.plan
        category = category_of(plan.potential)
        sampling = wire(
            sample_training_set(metal, binary, relaxed, plan.training_set, plan.level, plan.reference, plan.seed),
            "sample training set",
            "dft",
        )
        training = wire(train_potential(sampling.output, plan.potential, plan.seed), "train potential", category)
        starts = wire(build_learning_starts(metal, relaxed, plan), "learning starts", "light")
        exploring = wire(explore(sampling.output, training.output, starts.output, plan, 0), "explore round 0", category)
        evaluation = wire(
            evaluate_potential(exploring.output.dataset, exploring.output.potential), "evaluate potential", category
        )
        return Flow([sampling, training, starts, exploring, evaluation], output=exploring.output, name=self.name)
