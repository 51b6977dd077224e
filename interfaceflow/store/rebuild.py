"""From the job store's dictionaries back to Docs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from interfaceflow.core.errors import DataFileError
from interfaceflow.schemas.base import Doc

_SCHEMAS = "interfaceflow.schemas."


def docs_in(output: Any, source: str) -> Iterator[Doc]:
    """Yield every Doc of a job's output, in order, also from lists and mappings of Docs.

    References to other jobs' outputs (``store_inputs``) and plain values hold none.

    Parameters
    ----------
    output
        ``output`` of a document in the job store.
    source
        Which job it is, for messages.

    Raises
    ------
    DataFileError
        If a stored Doc no longer fits its schema.
    """
    if isinstance(output, dict):
        if str(output.get("@module", "")).startswith(_SCHEMAS):
            doc_class = getattr(import_module(output["@module"]), output["@class"], None)
            if isinstance(doc_class, type) and issubclass(doc_class, Doc):
                yield _rebuild(doc_class, output, source)
        elif "@class" not in output:
            for value in output.values():
                yield from docs_in(value, source)
    elif isinstance(output, list):
        for value in output:
            yield from docs_in(value, source)


def _rebuild(doc_class: type[Doc], stored: dict[str, Any], source: str) -> Doc:
    try:
        return doc_class.model_validate(_without_marks(stored))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataFileError(
            f"the stored {doc_class.__name__} of job {source} does not fit its schema: {where}: {first['msg']}. "
            f"It was probably written by another version of interfaceflow; `interfaceflow rerun --job` writes it anew"
        ) from error


def _without_marks(value: Any) -> Any:
    """Drop the ``@module``, ``@class`` and ``@version`` marks that jobflow adds."""
    if isinstance(value, dict):
        return {name: _without_marks(item) for name, item in value.items() if not name.startswith("@")}
    if isinstance(value, list):
        return [_without_marks(item) for item in value]
    return value
