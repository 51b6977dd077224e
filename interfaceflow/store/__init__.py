"""Results in and out of the project's store, and the query API.

Examples
--------
>>> from interfaceflow.store import open_project
>>> project = open_project("my_project")                              # doctest: +SKIP
>>> project.query("transport", where="temperature_K>300")             # doctest: +SKIP
>>> project.load_results().all_of(EnergeticsDoc)                      # doctest: +SKIP
"""

from interfaceflow.store.project import ProjectStore, open_project
from interfaceflow.store.records import FlowRecord
from interfaceflow.store.results import FlowResults, StoredDoc

__all__ = ["FlowRecord", "FlowResults", "ProjectStore", "StoredDoc", "open_project"]
