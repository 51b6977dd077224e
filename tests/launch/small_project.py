"""A project whose flow is made of small real jobs."""

from __future__ import annotations

from pathlib import Path

from interfaceflow.core.files import FileRef
from interfaceflow.launch.backend import Backend
from interfaceflow.launch.flows import add_flow
from interfaceflow.launch.jobs_of_flow import JobState
from interfaceflow.schemas.inputs import RecipeInputs
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LevelOfTheory
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings
from interfaceflow.store.records import FlowRecord

SETTINGS = {
    "recipe": "decomposition_interfaces",
    "title": "test",
    "structures": {
        "metal": {"cif": "Li.cif", "miller": [1, 1, 0]},
        "binary": {"cif": "LiCl.cif", "miller": [1, 0, 0]},
    },
    "training_set": {
        "trajectories": [{"cell": "metal", "temperatures_K": [300.0], "held_out_temperatures_K": [400.0]}]
    },
    "learning": {"cells": [{"cell": "metal", "temperature_K": 300.0}], "duration_ps": 1.0},
}


def settings(title: str = "test") -> DecompositionInterfacesSettings:
    return DecompositionInterfacesSettings.model_validate({**SETTINGS, "title": title})


def inputs() -> RecipeInputs:
    cif = FileRef(uri=".interfaceflow/inputs/Li.cif", sha256="0" * 64, n_bytes=1)
    return RecipeInputs(
        cifs={"metal": cif, "binary": cif},
        level_of_theory=LevelOfTheory(name="chgnet", description="test", physics=ChgnetSettings(engine="chgnet")),
    )


def add_test_flow(backend: Backend, flow, title: str = "test") -> FlowRecord:
    return add_flow(backend, flow, settings(title), inputs(), Path("config.yaml"))


class QuietObserver:
    def __init__(self) -> None:
        self.started: list[str] = []
        self.errors: list[str] = []
        self.notes: list[str] = []

    def job_started(self, job: JobState, n_done: int, n_total: int) -> None:
        self.started.append(job.name)

    def job_ended(self, job: JobState, wall_time_s: float, error: str | None) -> None:
        if error:
            self.errors.append(error)

    def note(self, text: str) -> None:
        self.notes.append(text)
