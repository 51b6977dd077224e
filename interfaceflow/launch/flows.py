"""Starting a flow, or going on with one."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from interfaceflow.core.errors import UserInputError
from interfaceflow.launch.backend import Backend
from interfaceflow.launch.jobs_of_flow import flow_uuids_on_launchpad, read_flow
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.settings import RecipeSettings
from interfaceflow.store.records import FlowRecord, config_hash

if TYPE_CHECKING:
    from jobflow.core.flow import Flow


@dataclass(frozen=True)
class Choice:
    """What to do about a config: start a flow, go on with one, or show one that is finished."""

    action: Literal["start", "continue", "finished"]
    record: FlowRecord | None


def choose_flow(backend: Backend, settings: RecipeSettings, inputs: RecipeInputs) -> Choice:
    """Find the flow that a config belongs to.

    The flow with the same settings and inputs is gone on with, or shown where it is finished. Otherwise a new one
    starts, unless the project's newest flow is unfinished: then its config was changed half-way.

    Raises
    ------
    UserInputError
        If the config of an unfinished flow has changed; the message lists what.
    """
    known = flow_uuids_on_launchpad(backend)
    records = [record for record in backend.store.list_flows() if record.flow_uuid in known]
    same = [record for record in records if record.config_sha256 == config_hash(settings, inputs)]
    unfinished = [record for record in same if not read_flow(backend, record.flow_uuid).is_finished]
    if unfinished:
        return Choice("continue", unfinished[-1])
    if same:
        return Choice("finished", same[-1])
    if records and not read_flow(backend, records[-1].flow_uuid).is_finished:
        newest = records[-1]
        changes = "\n".join(f"    {line}" for line in describe_changes(newest, settings, inputs))
        raise UserInputError(
            f"flow {newest.flow_uuid[:8]} ({newest.title}) is not finished, and its config has changed since:\n"
            f"{changes}\n"
            f"To go on with it, undo the change (its config was {newest.config_path}); to start another flow with "
            "the new config: interfaceflow run CONFIG --new"
        )
    return Choice("start", None)


def describe_changes(record: FlowRecord, settings: RecipeSettings, inputs: RecipeInputs) -> list[str]:
    """Return one line for each key that differs from what a flow was started with."""
    before = _flatten(record.settings.model_dump(mode="json")) | _flatten(record.inputs.model_dump(mode="json"))
    after = _flatten(settings.model_dump(mode="json")) | _flatten(inputs.model_dump(mode="json"))
    names = [*before, *(name for name in after if name not in before)]
    return [
        f"{name}: {_shown(before, name)} -> {_shown(after, name)}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def add_flow(
    backend: Backend, flow: Flow, settings: RecipeSettings, inputs: RecipeInputs, config_path: Path
) -> FlowRecord:
    """Put a flow on the launchpad and remember what it was asked to do.

    Parameters
    ----------
    backend
        The project.
    flow
        The flow that the recipe built.
    settings, inputs
        What it was built from.
    config_path
        The config file.
    """
    from jobflow.managers.fireworks import flow_to_workflow

    resolved = config_path.resolve()
    shown = resolved.relative_to(backend.root) if resolved.is_relative_to(backend.root) else resolved
    record = FlowRecord(
        flow_uuid=flow.uuid,
        title=settings.title,
        config_path=str(shown),
        config_sha256=config_hash(settings, inputs),
        created_on=datetime.now(UTC).isoformat(),
        settings=settings,
        inputs=inputs,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some jobs are not connected")
        workflow = flow_to_workflow(flow, name=settings.title, metadata={"flow_uuid": flow.uuid})
    _forget_flows_never_added(backend)
    backend.store.flows.update(record.model_dump(mode="json"), key="flow_uuid")
    backend.launchpad.add_wf(workflow)
    return record


def _forget_flows_never_added(backend: Backend) -> None:
    """Drop records of flows whose process was killed between the record and the launchpad."""
    known = flow_uuids_on_launchpad(backend)
    for record in backend.store.list_flows():
        if record.flow_uuid not in known:
            backend.store.flows.remove_docs({"flow_uuid": record.flow_uuid})


def _flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flatten(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat


def _shown(values: dict[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "(not set)"
