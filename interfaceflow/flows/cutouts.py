"""Flow: learn from a frame that is too large to label."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow.core.flow import Flow
from jobflow.core.maker import Maker
from jobflow.core.reference import OutputReference

from interfaceflow.jobs.cutouts import wire_cutout_pass
from interfaceflow.schemas.cutouts import CutoutPlan


@dataclass
class CutoutLearningMaker(Maker):
    """Teach a potential what broke a run in a cell of thousands of atoms.

    1. ``cut out, pass 0``: small periodic, charge-balanced cells around the extrapolating atoms
    2. ``label cut-outs, pass 0``: the reference calculation
    3. ``retrain on cut-outs, pass 0``: the extended training set, the next potential, and the frame's grades with it;
       while atoms still extrapolate, the job replaces itself by another pass

    Attributes
    ----------
    plan
        Settings.

    Examples
    --------
    >>> CutoutLearningMaker(plan=plan).make(frame, dataset, potential, interface)  # doctest: +SKIP
    """

    name: str = "cut-out learning"
    plan: CutoutPlan = field(kw_only=True)

    def make(
        self,
        frame: OutputReference,
        dataset: OutputReference,
        potential: OutputReference,
        interface: OutputReference,
    ) -> Flow:
        """Make the flow; its output is the reference to the last ``CutoutRoundDoc``.

        Parameters
        ----------
        frame
            Reference to the frame's file, for example ``ProductionDoc.breaking_frame``.
        dataset, potential
            References to the training set and the potential that broke.
        interface
            Reference to the structure file of the labelled interface cell without vacancies.
        """
        flow = wire_cutout_pass(frame, dataset, potential, interface, self.plan, 0)
        flow.name = self.name
        return flow
