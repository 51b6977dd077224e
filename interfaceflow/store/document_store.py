"""A maggma Store in one file: what a job stored is on disk before the job counts as done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from maggma.stores import MemoryStore

from interfaceflow.store.interrupts import GATE
from interfaceflow.store.snapshot import Snapshot


class DocumentFileStore(MemoryStore):
    """Documents in memory, written to one file as a whole, atomically, with every change.

    Fit for the few hundred small documents of a project. One process writes, under the project's lock;
    any number read.

    Parameters
    ----------
    path
        Absolute path of the file; its folder must exist once something is stored.
    key
        Field that names a document.
    """

    def __init__(self, path: str, key: str = "uuid") -> None:
        if not Path(path).is_absolute():
            raise ValueError(f"the path of a document store must be absolute, since jobs change folder: {path}")
        self.path = path
        self._snapshot = Snapshot(Path(path), "the store of results")
        super().__init__(collection_name=Path(path).stem, key=key)

    @property
    def name(self) -> str:
        """Name of the store."""
        return f"file://{self.path}"

    def connect(self, force_reset: bool = False) -> None:  # noqa: FBT001, FBT002  (maggma's signature)
        """Load the documents from the file.

        Raises
        ------
        DataFileError
            If the file is truncated or damaged.
        """
        if self._coll is not None and not force_reset:
            return
        documents = self._snapshot.read() or []
        super().connect(force_reset=force_reset)
        if documents:
            self._collection.insert_many(documents)

    def update(self, docs: list[dict[str, Any]] | dict[str, Any], key: list[str] | str | None = None) -> None:
        """Insert or replace documents, in memory and on disk, or neither.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with GATE.held():
            super().update(docs, key=key)
            self._save()

    def remove_docs(self, criteria: dict[str, Any]) -> None:
        """Remove the documents that match, in memory and on disk, or neither.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with GATE.held():
            super().remove_docs(criteria)
            self._save()

    def _save(self) -> None:
        try:
            self._snapshot.write([_without_id(document) for document in self._collection.find({})])
        except OSError:
            self.connect(force_reset=True)
            raise


def _without_id(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "_id"}
