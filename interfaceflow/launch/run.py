"""From a config file to a finished flow: what ``interfaceflow run`` does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

from interfaceflow.core.files import PROJECT_ROOT_VARIABLE
from interfaceflow.launch.backend import own_project
from interfaceflow.launch.config import load_config
from interfaceflow.launch.flows import Choice, add_flow, choose_flow
from interfaceflow.launch.inputs import copy_inputs, find_inputs
from interfaceflow.launch.jobs_of_flow import FlowState, read_flow
from interfaceflow.launch.lock import network_filesystem
from interfaceflow.launch.runner import RunObserver, run_jobs
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.settings import RecipeSettings
from interfaceflow.store.records import FlowRecord
from interfaceflow.store.results import FlowResults

if TYPE_CHECKING:
    from jobflow.core.flow import Flow


class Recipe(Protocol):
    """What the module ``recipe`` of a folder in ``workflows/`` has."""

    def build_flow(self, settings: RecipeSettings, inputs: RecipeInputs) -> Flow:
        """Return the recipe's flow."""


@dataclass(frozen=True)
class FinishedRun:
    """How ``run`` ended.

    Attributes
    ----------
    status
        ``"already finished"`` where there was nothing left to compute.
    record
        The flow.
    state
        Its jobs.
    results
        Everything it has stored.
    """

    status: Literal["completed", "failed", "interrupted", "already finished"]
    record: FlowRecord
    state: FlowState
    results: FlowResults


def run_config(config_path: Path, observer: RunObserver, *, afresh: bool = False) -> FinishedRun:
    """Run a config in the current folder, or go on with it.

    1. the config and everything it names are checked; nothing is written if anything is wrong
    2. the project folder is taken for this process alone
    3. the flow with the same settings and inputs is gone on with, or a new one is put on the launchpad
    4. its jobs are run

    Parameters
    ----------
    config_path
        The config file.
    observer
        Who is told how it goes.
    afresh
        Start another flow, whatever the project holds.

    Raises
    ------
    UserInputError
        If the config cannot be used, an unfinished flow's config has changed, or another process holds the project.
    """
    root = Path.cwd().resolve()
    os.environ[PROJECT_ROOT_VARIABLE] = str(root)
    found = find_inputs(load_config(config_path), config_path, root)
    settings = found.settings
    filesystem = network_filesystem(root)
    if filesystem is not None:
        observer.note(f"{root} is on {filesystem}, where the lock may not hold: never run two processes in it")
    with own_project(root) as backend:
        choice = Choice("start", None) if afresh else choose_flow(backend, settings, found.inputs)
        if choice.record is None:
            copy_inputs(found, root)
            recipe = cast(Recipe, import_module(f"interfaceflow.workflows.{settings.recipe}.recipe"))
            flow = recipe.build_flow(settings, found.inputs)
            record = add_flow(backend, flow, settings, found.inputs, config_path)
        else:
            record = choice.record
            state = read_flow(backend, record.flow_uuid)
            if choice.action == "finished":
                results = backend.store.load_results(record.flow_uuid)
                return FinishedRun("already finished", record, state, results)
            observer.note(
                f"going on with flow {record.flow_uuid[:8]}: {state.n_shown_done} of "
                f"{len(state.shown_jobs)} jobs are done"
            )
        outcome = run_jobs(backend, record.flow_uuid, observer)
        results = backend.store.load_results(record.flow_uuid)
    return FinishedRun(outcome.status, record, outcome.state, results)
