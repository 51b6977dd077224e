"""Flows: one potential for several systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.labels import PhaseLabel
from interfaceflow.jobs.datasets import sample_training_set
from interfaceflow.jobs.learning import build_learning_starts, explore
from interfaceflow.jobs.pooling import join_learning_starts, pool_training_sets
from interfaceflow.jobs.potentials import category_of, evaluate_potential, train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.datasets import DatasetDoc
from interfaceflow.schemas.learning_plan import LearningPlan
from interfaceflow.schemas.settings import PotentialSettings


@dataclass
class PooledTrainingMaker(Maker):
    """Fit one potential to the training sets of several systems, and tell its errors on each.

    1. ``pool training sets``: one set, each configuration with the name of its system
    2. ``train potential``: one fit to all of them
    3. ``evaluate potential``: errors on what was held out, by system, temperature and region

    Attributes
    ----------
    potential
        The potential and its fit.
    seed
        Seed of the fit, and of the draws for limits.
    limits
        Largest number of training configurations of a system; one that is not named gives all.

    Examples
    --------
    >>> from interfaceflow.schemas.settings import MtpSettings
    >>> maker = PooledTrainingMaker(potential=MtpSettings(level=12), seed=1, limits={"Li3PS4": 3000})
    >>> flow = maker.make({"Li3PS4": first, "Li3B11O18": second})  # doctest: +SKIP
    """

    name: str = "pooled training"
    potential: PotentialSettings = field(kw_only=True)
    seed: int = field(kw_only=True)
    limits: Mapping[str, int] = field(kw_only=True, default_factory=dict)

    def make(self, datasets: Mapping[str, DatasetDoc | OutputReference]) -> Flow:
        """Make the flow; its output holds the references ``dataset``, ``potential`` and ``parity``.

        Parameters
        ----------
        datasets
            By name of the system: DatasetDocs of finished flows of the same project, or references to those to come.
        """
        pooling = wire(pool_training_sets(datasets, self.limits, self.seed), "pool training sets", "light")
        training = wire(
            train_potential(pooling.output, self.potential, self.seed), "train potential", category_of(self.potential)
        )
        evaluation = wire(
            evaluate_potential(pooling.output, training.output), "evaluate potential", category_of(self.potential)
        )
        output = {"dataset": pooling.output, "potential": training.output, "parity": evaluation.output}
        return Flow([pooling, training, evaluation], output=output, name=self.name)


@dataclass(frozen=True)
class SystemReferences:
    """The relaxed cells of one system.

    Attributes
    ----------
    bulk, relaxed
        References to the RelaxationDocs of both bulk crystals, by phase, and of the interface.
    slabs
        Those of slabs by the names that the ladder uses, where it has any.
    """

    bulk: Mapping[PhaseLabel, OutputReference]
    relaxed: OutputReference
    slabs: Mapping[str, OutputReference] = field(default_factory=dict)

    @property
    def of_ladder(self) -> dict[str, OutputReference]:
        """All cells by the names that the ladder uses."""
        return dict(self.bulk.items()) | dict(self.slabs) | {"interface": self.relaxed}


@dataclass
class PooledLearningMaker(Maker):
    """Learn one potential for several systems: each is sampled, then all of them run in every learning round.

    1. ``sample <system>``: a ladder of short reference MD for each system
    2. ``pool training sets`` and ``train potential``: the first fit, to all of them and to ``earlier`` sets
    3. ``learning starts <system>`` and ``join learning starts``: the cells of every round
    4. ``explore round 0``: guarded MD of all systems, which goes on as in `PotentialLearningMaker`
    5. ``evaluate potential``: errors on what was held out, by system, temperature and region

    Attributes
    ----------
    plan
        Settings of the ladders, the fit and the loop, the same for all systems.
    bulk_cell_atoms
        Learning cells of a bulk crystal have about this many atoms.
    limits
        As for `PooledTrainingMaker`.
    """

    name: str = "pooled learning"
    plan: LearningPlan = field(kw_only=True)
    bulk_cell_atoms: int = field(kw_only=True)
    limits: Mapping[str, int] = field(kw_only=True, default_factory=dict)

    def make(
        self,
        systems: Mapping[str, SystemReferences],
        earlier: Mapping[str, DatasetDoc | OutputReference] | None = None,
    ) -> Flow:
        """Make the flow; its output is the reference to the last ``LearningRoundDoc``.

        Parameters
        ----------
        systems
            Relaxed cells by name of the system.
        earlier
            Training sets that were sampled before, by name of their system: what was learned passively goes into the
            first fit, and the learning rounds add to it.
        """
        plan = self.plan
        sampled: dict[str, DatasetDoc | OutputReference] = dict(earlier or {})
        both = sorted(set(sampled) & set(systems))
        if both:
            raise UserInputError(
                f"{', '.join(both)}: there are an earlier training set and a system of this name; give the earlier "
                "set another one"
            )
        jobs, starts = [], []
        for name, cells in systems.items():
            sampling = wire(
                sample_training_set(cells.of_ladder, plan.training_set, plan.level, plan.reference, plan.seed),
                f"sample {name}",
                "dft",
            )
            cells_to_run = wire(
                build_learning_starts(cells.bulk, cells.relaxed, plan, self.bulk_cell_atoms),
                f"learning starts {name}",
                "light",
            )
            sampled[name] = sampling.output
            starts.append(cells_to_run.output)
            jobs += [sampling, cells_to_run]
        pooling = wire(pool_training_sets(sampled, self.limits, plan.seed), "pool training sets", "light")
        training = wire(
            train_potential(pooling.output, plan.potential, plan.seed), "train potential", category_of(plan.potential)
        )
        joined = wire(join_learning_starts(starts), "join learning starts", "light")
        exploring = wire(
            explore(pooling.output, training.output, joined.output, plan, 0),
            "explore round 0",
            category_of(plan.potential),
        )
        evaluation = wire(
            evaluate_potential(exploring.output.dataset, exploring.output.potential),
            "evaluate potential",
            category_of(plan.potential),
        )
        return Flow([*jobs, pooling, training, joined, exploring, evaluation], output=exploring.output, name=self.name)
