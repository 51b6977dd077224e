"""A flow's results as Python objects: what the report and the query API read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from interfaceflow.schemas.base import Doc
from interfaceflow.schemas.datasets import DatasetDoc, QuarantinedLabel
from interfaceflow.schemas.electronic import BaderDoc
from interfaceflow.schemas.learning import LabelsDoc, LearningRoundDoc
from interfaceflow.schemas.settings import RecipeSettings

_WITH_QUARANTINE: Final = DatasetDoc | LabelsDoc | LearningRoundDoc | BaderDoc
D = TypeVar("D", bound=Doc)


@dataclass(frozen=True)
class StoredDoc:
    """A Doc with the job that made it.

    Attributes
    ----------
    uuid, index, job_name
        jobflow's identifier of the job, its index, and its name.
    completed_on
        When the job ended, as jobflow writes it.
    doc
        The Doc.
    """

    uuid: str
    index: int
    job_name: str
    completed_on: str
    doc: Doc


@dataclass(frozen=True)
class FlowResults:
    """Everything a flow has stored so far.

    Attributes
    ----------
    flow_uuid, title
        The flow, and its title from the config.
    settings, config_sha256
        Its resolved config, and the SHA-256 of that and its inputs.
    docs
        Its Docs, in order of completion.
    """

    flow_uuid: str
    title: str
    settings: RecipeSettings
    config_sha256: str
    docs: tuple[StoredDoc, ...]

    @property
    def quarantined(self) -> tuple[QuarantinedLabel, ...]:
        """The labels that were refused, each once, in order of completion."""
        docs = [stored.doc for stored in self.docs if isinstance(stored.doc, _WITH_QUARANTINE)]
        return tuple(dict.fromkeys(label for doc in docs for label in doc.quarantined))

    def all_of(self, kind: type[D]) -> list[D]:
        """Return all Docs of one class, in order of completion."""
        return [stored.doc for stored in self.docs if isinstance(stored.doc, kind)]

    def last_of(self, kind: type[D]) -> D | None:
        """Return the newest Doc of one class, or nothing."""
        found = self.all_of(kind)
        return found[-1] if found else None
