"""Flow: levels of theory, density functionals say, compared on the same configurations."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.jobs.level_comparison import check_dataset, compare_datasets, relabel_dataset
from interfaceflow.jobs.potentials import category_of, evaluate_potential, train_potential
from interfaceflow.jobs.wiring import wire
from interfaceflow.schemas.datasets import DatasetDoc
from interfaceflow.schemas.level_of_theory import LevelOfTheory
from interfaceflow.schemas.settings import PotentialSettings, ReferenceSettings


@dataclass
class LevelComparisonMaker(Maker):
    """Label one dataset at other levels of theory, and say how far they are apart.

    1. ``check dataset``: its files are there and can be labelled again
    2. ``relabel with <level>``: the same configurations at each other level of theory
    3. ``compare levels of theory``: energies per atom, forces and stresses, each pair of levels
    4. ``train potential (<level>)`` and ``evaluate potential (<level>)``: with ``potential`` given, one potential for
       each level, the first called ``given``, judged on its own held-out labels

    Attributes
    ----------
    levels
        The other levels of theory.
    reference
        Number of workers.
    potential
        How a potential is fitted to each level's labels; none is if not given.
    seed
        Seed of those fits.

    Examples
    --------
    >>> maker = LevelComparisonMaker(levels=(...,), reference=ReferenceSettings(n_workers=2))
    >>> flow = maker.make(dataset)  # doctest: +SKIP
    """

    name: str = "comparison of levels of theory"
    levels: tuple[LevelOfTheory, ...] = field(kw_only=True)
    reference: ReferenceSettings = field(kw_only=True)
    potential: PotentialSettings | None = field(kw_only=True, default=None)
    seed: int = field(kw_only=True, default=1)

    def make(self, dataset: DatasetDoc | OutputReference) -> Flow:
        """Make the flow; its output holds the references ``comparison`` and ``datasets``, the given one first.

        Parameters
        ----------
        dataset
            A DatasetDoc of a finished flow of the same project, or the reference to one to come.
        """
        given = wire(check_dataset(dataset), "check dataset", "light")
        relabelled = [
            wire(relabel_dataset(given.output, level, self.reference), f"relabel with {level.name}", "dft")
            for level in self.levels
        ]
        datasets = [given.output, *(one.output for one in relabelled)]
        comparison = wire(compare_datasets(datasets), "compare levels of theory", "light")
        jobs = [given, *relabelled, comparison]
        if self.potential is not None:
            category = category_of(self.potential)
            for name, labels in zip(["given", *(level.name for level in self.levels)], datasets, strict=True):
                fit = train_potential(labels, self.potential, self.seed)
                training = wire(fit, f"train potential ({name})", category)
                evaluation = wire(evaluate_potential(labels, training.output), f"evaluate potential ({name})", category)
                jobs += [training, evaluation]
        return Flow(jobs, output={"comparison": comparison.output, "datasets": datasets}, name=self.name)
