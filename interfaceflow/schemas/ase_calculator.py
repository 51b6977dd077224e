"""Settings of any ASE calculator, named by where it is imported from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from interfaceflow.schemas.base import Settings

Scalar = bool | int | float | str | None


class AseSettings(Settings):
    """Any ASE calculator of an installed package that gives energy, forces and stress of a periodic cell."""

    engine: Literal["ase"] = Field(description="Which engine")
    calculator: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*[:.][A-Za-z_]\w*$",
        description="Where the class, or a function that makes one, is imported from: 'package.module:Name'",
    )
    arguments: dict[str, Scalar | list[Scalar]] = Field(
        default={}, description="Keyword arguments it is made with; whatever changes a label has to be among them"
    )
    package_version: str | None = Field(
        default=None, description="Version of the package; where it is not given, the installed one is filled in"
    )

    @property
    def module(self) -> str:
        """Name of the module that is imported."""
        return self.calculator.replace(":", ".").rpartition(".")[0]

    @property
    def name(self) -> str:
        """Name of the calculator in its module."""
        return self.calculator.replace(":", ".").rpartition(".")[2]
