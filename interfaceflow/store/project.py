"""A project's results: flows, Docs and tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interfaceflow.core.errors import UserInputError
from interfaceflow.core.files import PROJECT_FOLDER, project_root
from interfaceflow.store.rebuild import docs_in
from interfaceflow.store.records import FlowRecord
from interfaceflow.store.results import FlowResults, StoredDoc

if TYPE_CHECKING:
    from maggma.core import Store
    from pandas import DataFrame

MONGODB_VARIABLE = "INTERFACEFLOW_MONGODB_URI"
_SERVER_TIMEOUT_MS = 5000


@dataclass(frozen=True)
class ProjectStore:
    """What a project has stored.

    Attributes
    ----------
    outputs
        maggma Store of the jobs' outputs: jobflow's documents.
    flows
        maggma Store of the `FlowRecord` of every flow.

    Examples
    --------
    >>> project = open_project()                              # doctest: +SKIP
    >>> project.query("energetics")["work_of_adhesion_J_m2"]  # doctest: +SKIP
    """

    outputs: Store
    flows: Store

    def list_flows(self) -> list[FlowRecord]:
        """Return the project's flows, oldest first."""
        records = [FlowRecord.model_validate(_plain(document)) for document in self.flows.query()]
        return sorted(records, key=lambda record: record.created_on)

    def find_flow(self, flow: str | None = None) -> FlowRecord:
        """Return the flow whose uuid begins so, or the newest.

        Raises
        ------
        UserInputError
            If there is none, or more than one.
        """
        records = self.list_flows()
        if not records:
            raise UserInputError("this project has no flow yet; start one with: interfaceflow run CONFIG")
        if flow is None:
            return records[-1]
        found = [record for record in records if record.flow_uuid.startswith(flow)]
        if len(found) == 1:
            return found[0]
        known = "\n".join(f"    {r.flow_uuid[:8]}  {r.created_on[:16]}  {r.title}" for r in records)
        problem = "more than one flow has" if found else "no flow has"
        raise UserInputError(f"{problem} a uuid that begins with {flow!r}; the flows of this project are\n{known}")

    def load_results(self, flow: str | None = None) -> FlowResults:
        """Return everything that a flow has stored so far, in order of completion.

        Parameters
        ----------
        flow
            Beginning of the flow's uuid; the newest flow where it is not given.

        Raises
        ------
        UserInputError
            If there is no such flow.
        DataFileError
            If a stored Doc no longer fits its schema.
        """
        record = self.find_flow(flow)
        documents = sorted(self.outputs.query({"hosts": record.flow_uuid}), key=lambda d: str(d["completed_at"]))
        docs = tuple(
            StoredDoc(d["uuid"], d["index"], d["name"], d["completed_at"], doc)
            for d in documents
            for doc in docs_in(d["output"], f"{d['name']} ({d['uuid']})")
        )
        return FlowResults(record.flow_uuid, record.title, record.settings, record.config_sha256, docs)

    def query(self, kind: str, where: str | Sequence[str] | None = None, flow: str | None = None) -> DataFrame:
        """Return one kind of result as a table, with units in the column names.

        Parameters
        ----------
        kind
            ``"transport"``, ``"energetics"``, ...: a name in `interfaceflow.store.tables.KINDS`.
        where
            Filters such as ``"temperature_K>300"`` or ``"label=metal-Li"``; rows must pass all of them.
        flow
            Beginning of the flow's uuid; the newest flow where it is not given.

        Raises
        ------
        UserInputError
            If there is no such kind, column or flow, or a filter cannot be read.

        Examples
        --------
        >>> project.query("transport", where=["temperature_K>300", "direction=in-plane"])   # doctest: +SKIP
        """
        from interfaceflow.store.tables import build_table
        from interfaceflow.store.where import apply_filters, parse_filter

        filters = [parse_filter(text) for text in ([where] if isinstance(where, str) else where or ())]
        table = build_table(kind, lambda: self.load_results(flow))
        return apply_filters(table, filters)


def open_project(root: Path | str | None = None, mongodb_uri: str | None = None) -> ProjectStore:
    """Open a project's results for reading; this works while a run is going on.

    Parameters
    ----------
    root
        Folder in which ``interfaceflow run`` was started; the current project where it is not given.
    mongodb_uri
        MongoDB that holds the results instead of the project's files; ``$INTERFACEFLOW_MONGODB_URI`` where it is
        not given.

    Raises
    ------
    UserInputError
        If there is no project in that folder.
    DataFileError
        If a file of the project is truncated or damaged.
    """
    uri = mongodb_uri or os.environ.get(MONGODB_VARIABLE)
    if uri:
        store = mongodb_store(uri)
    else:
        store = file_store(find_project_folder(Path(root).resolve() if root is not None else project_root()))
    store.outputs.connect()
    store.flows.connect()
    return store


def find_project_folder(root: Path) -> Path:
    """Return the folder in which a project keeps its files.

    Raises
    ------
    UserInputError
        If there is no project.
    """
    folder = root / PROJECT_FOLDER
    if not folder.is_dir():
        raise UserInputError(
            f"{root}: there is no interfaceflow project here (no folder {PROJECT_FOLDER}); "
            "change to the folder of your project, or start one with: interfaceflow run CONFIG"
        )
    return folder


def file_store(folder: Path) -> ProjectStore:
    """Return the stores in a project's folder, not yet connected."""
    from interfaceflow.store.document_store import DocumentFileStore

    return ProjectStore(
        outputs=DocumentFileStore(str(folder / "outputs.json")),
        flows=DocumentFileStore(str(folder / "flows.json"), key="flow_uuid"),
    )


def mongodb_store(uri: str) -> ProjectStore:
    """Return the stores in a MongoDB, not yet connected; the URI names the database."""
    from maggma.stores import MongoStore

    database = database_of(uri)
    return ProjectStore(
        outputs=MongoStore(database, "outputs", uri=uri, key="uuid"),
        flows=MongoStore(database, "flows", uri=uri, key="flow_uuid"),
    )


def database_of(uri: str) -> str:
    """Return the database that a MongoDB URI names, after asking whether the server is there.

    Raises
    ------
    UserInputError
        If it is not a MongoDB URI, names no database, or no server answers. The URI, which may hold a password, is
        not in the message.
    """
    from pymongo import MongoClient, uri_parser
    from pymongo.errors import InvalidURI, PyMongoError

    try:
        parsed = uri_parser.parse_uri(uri)
    except (InvalidURI, ValueError) as error:
        raise UserInputError(f"${MONGODB_VARIABLE} is not a MongoDB URI ({error})") from None
    if not parsed["database"]:
        raise UserInputError(
            f"${MONGODB_VARIABLE} names no database; give for example mongodb://user:password@host:27017/interfaceflow"
        )
    servers = ", ".join(f"{host}:{port}" for host, port in parsed["nodelist"])
    try:
        with MongoClient[dict[str, object]](uri, serverSelectionTimeoutMS=_SERVER_TIMEOUT_MS) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise UserInputError(
            f"${MONGODB_VARIABLE}: the MongoDB at {servers} cannot be used ({str(error).splitlines()[0][:200]}); start "
            f"it, correct the URI, or unset {MONGODB_VARIABLE} to keep everything in the project's folder"
        ) from None
    return str(parsed["database"])


def _plain(document: dict[str, object]) -> dict[str, object]:
    return {name: document[name] for name in FlowRecord.model_fields if name in document}
