"""The examples in docstrings give what they say."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import interfaceflow

PACKAGE = Path(interfaceflow.__file__).parent


def modules_with_examples() -> list[str]:
    found = [path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text()]
    return sorted(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in found)


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_give_what_they_say(name):
    assert doctest.testmod(import_module(name)).failed == 0
