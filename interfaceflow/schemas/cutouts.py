"""Settings and Docs of cut-outs: small periodic cells around the atoms a potential extrapolates on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from interfaceflow.core.files import FileRef
from interfaceflow.schemas.base import Doc, Settings, quantity
from interfaceflow.schemas.datasets import DatasetDoc, PotentialDoc, QuarantinedLabel
from interfaceflow.schemas.learning_plan import LearningPlan


class FormalCharge(Settings):
    """Formal charge of an element in one phase."""

    phase: str = Field(min_length=1, description="Phase label, for example 'metal' or 'binary'")
    element: str = Field(min_length=1, max_length=2, description="Chemical symbol")
    charge_e: float = quantity("e", "Formal charge; 0 in a metal", ge=-8, le=8)


class CutoutSettings(Settings):
    """How extrapolating neighbourhoods of a large cell become small cells to label."""

    max_atoms: int = Field(default=150, ge=8, le=2000, description="Largest number of atoms of a cut-out")
    max_cutouts: int = Field(default=12, ge=1, le=1000, description="Largest number of cut-outs from one frame")
    max_boxes: int = Field(
        default=6, ge=1, le=100, description="Periodic boxes tried around an atom before it is refused"
    )
    max_passes: int = Field(
        default=3, ge=1, le=100, description="Times a frame is cut and learned from while its atoms still extrapolate"
    )
    charge_e: float = quantity(
        "e", "Sum of the formal charges of a cut-out; 0 for a stoichiometric one", default=0.0, ge=-8, le=8
    )
    max_changes: int = Field(
        default=4, ge=0, le=20, description="Ions of the rim that may be removed or added to reach that sum"
    )
    formal_charges: tuple[FormalCharge, ...] = Field(
        default=(), description="By phase and element; from the crystals' compositions where none are given"
    )
    grade_tolerance: float = quantity(
        "1", "Largest change of the central atom's extrapolation grade, as a share of it", default=0.05, gt=0, le=1
    )
    closest_share: float = quantity(
        "1",
        "No pair may be nearer than this share of its smallest distance in the training set",
        default=0.9,
        gt=0,
        le=1,
    )
    rim_force_tolerance_eV_A: float = quantity(
        "eV/Å",
        "The rim is relaxed to this largest force, or to what the hottest atoms of the frame feel",
        default=0.1,
        gt=0,
        le=5,
    )
    rim_max_steps: int = Field(default=100, ge=0, le=10_000, description="Steps after which its relaxation ends")


class CutoutRecord(BaseModel):
    """One accepted cut-out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    atom: int = Field(ge=0, description="Index of its central atom in the frame")
    grade_in_frame: float = quantity("1", "Extrapolation grade of that atom in the frame", ge=0)
    grade: float = quantity("1", "The same in the cut-out", ge=0)
    n_atoms: int = Field(ge=1, description="Number of atoms")
    n_core: int = Field(ge=1, description="Atoms of the core, which are where they were")
    formula: str = Field(description="Chemical formula, Hill order")
    charge_e: float = quantity("e", "Sum of the formal charges")
    n_added: int = Field(ge=0, description="Ions of the rim added for the charge")
    n_removed: int = Field(ge=0, description="Ions of the rim removed for the charge")
    coincidences: tuple[float, float, float] = Field(
        description="How well the frame coincides with itself along each cell vector: 1 where the seam is perfect"
    )
    largest_rim_move_A: float = quantity("Å", "Largest displacement in the relaxation of the rim", ge=0)
    covered: tuple[int, ...] = Field(description="Extrapolating atoms of the frame whose grades the cut-out reproduces")


class RefusedNeighbourhood(BaseModel):
    """A neighbourhood of which no cut-out was accepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    atom: int = Field(ge=0, description="Index of its central atom in the frame")
    grade: float = quantity("1", "Extrapolation grade of that atom", ge=0)
    reason: str = Field(description="Why each box that was tried was refused")


class CutoutsDoc(Doc):
    """The cut-outs of one frame."""

    frames: FileRef | None = Field(description="Extended XYZ file of the cut-outs; absent when there is none")
    cutouts: tuple[CutoutRecord, ...] = Field(description="What each of them is, in the order of the file")
    refused: tuple[RefusedNeighbourhood, ...] = Field(default=(), description="Neighbourhoods that were given up")
    n_atoms: int = Field(ge=1, description="Atoms of the frame")
    n_extrapolating: int = Field(ge=0, description="Atoms of the frame above the select threshold")
    n_covered: int = Field(ge=0, description="How many of them a cut-out reproduces")
    select_threshold: float = quantity("1", "Atoms with a larger grade extrapolate", ge=1)
    largest_grade: float = quantity("1", "Largest grade of the frame", ge=0)
    potential_sha256: str = Field(description="SHA-256 of the potential")


class CutoutRoundDoc(Doc):
    """What a potential learned from the cut-outs of one frame."""

    pass_index: int = Field(ge=0, description="From 0")
    cutouts: CutoutsDoc = Field(description="The cut-outs")
    n_labels: int = Field(ge=0, description="Labels that were trusted and added")
    quarantined: tuple[QuarantinedLabel, ...] = Field(default=(), description="Labels that were refused")
    largest_grade_before: float = quantity("1", "Largest grade of the frame with the old potential", ge=0)
    largest_grade_after: float = quantity("1", "Largest grade of the same frame with the new one", ge=0)
    n_extrapolating_after: int = Field(ge=0, description="Atoms of the frame still above the select threshold")
    dataset: DatasetDoc = Field(description="The dataset afterwards")
    potential: PotentialDoc = Field(description="The potential afterwards")


class CutoutPlan(Settings):
    """What learning from a large frame needs to know."""

    learning: LearningPlan = Field(description="Settings of potential, labels and thresholds")
    cutouts: CutoutSettings = Field(default=CutoutSettings(), description="Settings of the cut-outs")
