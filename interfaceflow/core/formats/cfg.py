"""The ``.cfg`` format of MLIP: labelled configurations as text.

A file is a sequence of ``BEGIN_CFG`` ... ``END_CFG`` blocks with the fields Size, Supercell, AtomData, Energy (eV),
PlusStress (eV) and Feature. PlusStress is minus stress times volume in ASE's sign of stress, here in the order
xx, yy, zz, yz, xz, xy; a field Virial is divided by the volume, as MLIP does. A configuration without a Supercell is
not periodic; with one or two vectors it is periodic along those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import NoReturn, TextIO

import numpy as np
from numpy.typing import NDArray

from interfaceflow.core.errors import DataFileError, UserInputError
from interfaceflow.core.formats.configuration import Configuration, FloatArray

__all__ = [
    "Configuration",
    "format_configuration",
    "iterate_configurations",
    "read_configurations",
    "write_configurations",
]

_STRESS_ORDER = ("xx", "yy", "zz", "yz", "xz", "xy")
_VECTOR_COLUMNS = {"fx": 0, "fy": 1, "fz": 2}
_POSITION_COLUMNS = {"cartes_x": 0, "cartes_y": 1, "cartes_z": 2}
_DIRECT_COLUMNS = {"direct_x": 0, "direct_y": 1, "direct_z": 2}
_KNOWN_COLUMNS = (
    *("id", "type", *_POSITION_COLUMNS, *_DIRECT_COLUMNS, *_VECTOR_COLUMNS),
    *("site_en", "charge", "nbh_grades"),
)
_SPELLINGS = {"SuperCell": "Supercell", "Atomic_data:": "AtomData:"}
_MOST_TYPES = 1000
# MLIP writes six decimals. Ten keep forces and energies consistent, and MLIP reads them all the same.
_DECIMALS = 10


class _Reader:
    """Reads one file line by line, and knows where it is when something is wrong."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._line = 0

    def fail(self, problem: str) -> NoReturn:
        raise DataFileError(f"{self._name}, line {self._line}: {problem}")

    def line(self, inside: str) -> str:
        text = self._stream.readline()
        self._line += 1
        if not text:
            self.fail(f"the file ends inside {inside}: it is truncated; write it again")
        return text

    def next_begin(self) -> bool:
        """Move behind the next BEGIN_CFG; return False at the end of the file."""
        for text in self._stream:
            self._line += 1
            word = text.strip()
            if word == "BEGIN_CFG":
                return True
            if word:
                self.fail(f"expected BEGIN_CFG, found {word[:40]!r}; this is not a .cfg file of MLIP")
        return False

    def numbers(self, text: str, count: int, what: str) -> FloatArray:
        words = text.split()
        if len(words) != count:
            self.fail(f"{what}: expected {count} numbers, found {len(words)}")
        try:
            values = np.array(words, dtype=float)
        except ValueError:
            self.fail(f"{what}: {text.strip()[:60]!r} are not all numbers")
        if not np.isfinite(values).all():
            self.fail(f"{what}: {text.strip()[:60]!r} are not all finite numbers")
        return values

    def size(self) -> int:
        value = self.numbers(self.line("Size"), 1, "Size")[0]
        if value < 0 or value != int(value):
            self.fail(f"Size: {value:g} is not a number of atoms")
        return int(value)

    def cell(self) -> tuple[FloatArray, str]:
        """Return the lattice vectors and the line behind them."""
        rows: list[FloatArray] = []
        while True:
            text = self.line("Supercell")
            if not text.strip() or text.split()[0][0].isalpha():
                return np.array(rows, dtype=float).reshape(-1, 3), text
            if len(rows) == 3:
                self.fail("Supercell: more than three lattice vectors")
            rows.append(self.numbers(text, 3, "Supercell"))

    def atoms(self, n_atoms: int, header: str) -> dict[str, FloatArray]:
        """Return the columns of AtomData by name."""
        names = header.split()[1:]
        if "ghost" in names:
            self.fail(
                "AtomData has the column 'ghost': this is one processor's part of a larger cell, from a parallel run "
                "of MLIP-3; cut its neighbourhoods out with mlp cut_extrapolative_nbh"
            )
        for name in names:
            if name not in _KNOWN_COLUMNS:
                self.fail(f"AtomData: column {name!r} is not known; known are {', '.join(_KNOWN_COLUMNS)}")
        if len(set(names)) < len(names):
            self.fail("AtomData: a column is given twice")
        first = self._line
        rows = [self.line("AtomData").split() for _ in range(n_atoms)]
        for offset, row in enumerate(rows, start=1):
            if len(row) != len(names):
                self._line = first + offset
                self.fail(f"AtomData: expected {len(names)} columns ({' '.join(names)}), found {len(row)}")
        try:
            table = np.array(rows, dtype=float).reshape(len(rows), len(names))
        except ValueError:
            self._line = first + next(i for i, row in enumerate(rows, start=1) if not _all_numbers(row))
            self.fail("AtomData: not all columns are numbers")
        bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
        if bad.size:
            self._line = first + int(bad[0]) + 1
            self.fail("AtomData: not all columns are finite numbers")
        return {name: table[:, column] for column, name in enumerate(names)}

    def stress(self, header: str) -> FloatArray:
        """Return the components that the header names, in the order xx, yy, zz, yz, xz, xy."""
        name, *components = header.split()
        if sorted(components) != sorted(_STRESS_ORDER):
            self.fail(f"expected '{name} {' '.join(_STRESS_ORDER)}', found {header.strip()[:60]!r}")
        values = self.numbers(self.line(name), 6, name.removesuffix(":"))
        return values[[components.index(component) for component in _STRESS_ORDER]]

    def configuration(self) -> Configuration:
        """Return what stands between BEGIN_CFG and END_CFG."""
        n_atoms: int | None = None
        cell: FloatArray = np.zeros((0, 3))
        columns: dict[str, FloatArray] | None = None
        energy: float | None = None
        plus_stress: FloatArray | None = None
        features: dict[str, str] = {}
        seen: set[str] = set()
        text = self.line("a configuration")
        while (words := text.split()) != ["END_CFG"]:
            pushed_back: str | None = None
            field = _SPELLINGS.get(words[0], words[0]) if words else ""
            if field in seen:
                self.fail(f"a configuration has two fields {field[:40]!r}")
            if field not in ("", "Feature"):
                seen.add(field)
            match field:
                case "":
                    pass
                case "Size":
                    n_atoms = self.size()
                case "Supercell":
                    cell, pushed_back = self.cell()
                case "AtomData:":
                    if n_atoms is None:
                        self.fail("AtomData comes before Size")
                    columns = self.atoms(n_atoms, text)
                case "Energy":
                    energy = float(self.numbers(self.line("Energy"), 1, "Energy")[0])
                case "PlusStress:" | "Virial:":
                    if plus_stress is not None:
                        self.fail("a configuration has PlusStress: and Virial:, only one of them is allowed")
                    plus_stress = self.stress(text)
                case "Stress:":
                    self.fail(
                        "Stress: has the other sign, and MLIP refuses it too; change the signs and call it PlusStress:"
                    )
                case "Feature":
                    name, _, value = text.strip().removeprefix("Feature").strip().partition("\t")
                    if not value and " " in name:
                        name, _, value = name.partition(" ")
                    features[name] = f"{features[name]}\n{value}" if name in features else value
                case "BEGIN_CFG":
                    self.fail("BEGIN_CFG inside a configuration: END_CFG is missing before it")
                case other:
                    self.fail(f"field {other[:40]!r} is not known")
            text = pushed_back if pushed_back is not None else self.line("a configuration")
        if n_atoms is None or (columns is None and n_atoms > 0):
            self.fail("a configuration without " + ("Size" if n_atoms is None else "AtomData"))
        if plus_stress is not None and "Virial:" in seen:
            plus_stress = self._divided_by_volume(plus_stress, cell)
        return self._assemble(n_atoms, cell, columns or {}, energy, plus_stress, features)

    def _divided_by_volume(self, virial: FloatArray, cell: FloatArray) -> FloatArray:
        """Return what MLIP makes of a Virial when it reads one."""
        volume = self._volume(cell, "Virial:")
        with np.errstate(over="ignore"):
            stress: FloatArray = virial / volume
        if not np.isfinite(stress).all():
            self.fail("with this Supercell, the stress is not a finite number")
        return stress

    def _volume(self, cell: FloatArray, what: str) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            volume = abs(float(np.linalg.det(cell))) if len(cell) == 3 else 0.0
        if not volume > 0.0:
            self.fail(f"{what} needs a Supercell of three independent vectors")
        return volume

    def _types(self, n_atoms: int, columns: Mapping[str, FloatArray]) -> NDArray[np.int32]:
        """Return the types, all 0 where the file names none, as MLIP reads it."""
        if "id" in columns and (columns["id"] != np.arange(1, n_atoms + 1)).any():
            self.fail("AtomData: ids of atoms should be 1, 2, 3, ...")
        types = columns.get("type", np.zeros(n_atoms))
        if (types != np.floor(types)).any() or (types < 0).any() or (types > _MOST_TYPES).any():
            self.fail(f"AtomData: a type is not a whole number from 0 to {_MOST_TYPES}")
        return types.astype(np.int32)

    def _positions(self, n_atoms: int, columns: Mapping[str, FloatArray], cell: FloatArray) -> FloatArray:
        positions = self._vectors(columns, _POSITION_COLUMNS, "positions")
        direct = self._vectors(columns, _DIRECT_COLUMNS, "direct positions")
        if positions is not None and direct is not None:
            self.fail("AtomData: direct positions and Cartesian ones, only one of them is allowed")
        if direct is not None:
            self._volume(cell, "AtomData: direct_x, direct_y, direct_z")
            with np.errstate(over="ignore", invalid="ignore"):
                positions = direct @ cell
            if not np.isfinite(positions).all():
                self.fail("with this Supercell, a position is not a finite number")
        if positions is None:
            if n_atoms:
                self.fail("AtomData: there are no positions")
            positions = np.zeros((0, 3))
        return positions

    def _vectors(self, columns: Mapping[str, FloatArray], names: Iterable[str], what: str) -> FloatArray | None:
        present = [name for name in names if name in columns]
        if not present:
            return None
        if len(present) != 3:
            self.fail(f"AtomData: {what} need three columns, found only {', '.join(present)}")
        return np.column_stack([columns[name] for name in present])

    def _assemble(
        self,
        n_atoms: int,
        cell: FloatArray,
        columns: Mapping[str, FloatArray],
        energy: float | None,
        plus_stress: FloatArray | None,
        features: Mapping[str, str],
    ) -> Configuration:
        return Configuration(
            cell=cell,
            types=self._types(n_atoms, columns),
            positions=self._positions(n_atoms, columns, cell),
            energy=energy,
            forces=self._vectors(columns, _VECTOR_COLUMNS, "forces"),
            plus_stress=plus_stress,
            nbh_grades=columns.get("nbh_grades"),
            features=features,
        )


def _all_numbers(words: Iterable[str]) -> bool:
    try:
        np.array(list(words), dtype=float)
    except ValueError:
        return False
    return True


def iterate_configurations(path: Path) -> Iterator[Configuration]:
    """Read configurations one after the other, holding one in memory at a time.

    Parameters
    ----------
    path
        A ``.cfg`` file.

    Raises
    ------
    DataFileError
        If the file is missing, truncated, of another kind, or holds numbers that are not finite or not as many as
        announced. The text names the file and the line.
    """
    try:
        stream = path.open(encoding="utf-8", errors="replace")
    except OSError as problem:
        raise DataFileError(f"{path}: cannot be read: {problem.strerror}") from problem
    with stream:
        reader = _Reader(stream, str(path))
        while reader.next_begin():
            yield reader.configuration()


def read_configurations(path: Path) -> list[Configuration]:
    """Read all configurations of a ``.cfg`` file; see `iterate_configurations`."""
    return list(iterate_configurations(path))


def format_configuration(configuration: Configuration) -> str:
    """Return one configuration as text, BEGIN_CFG to END_CFG."""
    width = _DECIMALS + 8
    names = ["id", "type", *_POSITION_COLUMNS]
    blocks: list[FloatArray] = [
        np.arange(1.0, len(configuration) + 1)[:, None],
        configuration.types[:, None].astype(float),
        configuration.positions,
    ]
    formats = ["%8d", "%4d", *[f"%{width}.{_DECIMALS}f"] * 3]
    if configuration.forces is not None:
        names += list(_VECTOR_COLUMNS)
        blocks.append(configuration.forces)
        formats += [f"%{width}.{_DECIMALS}f"] * 3
    if configuration.nbh_grades is not None:
        names.append("nbh_grades")
        blocks.append(configuration.nbh_grades[:, None])
        formats.append("%14.5f")
    out = StringIO()
    out.write(f"BEGIN_CFG\n Size\n    {len(configuration)}\n")
    if len(configuration.cell):
        out.write(" Supercell\n")
        np.savetxt(out, configuration.cell, fmt=f"    %{width}.{_DECIMALS}f" + f" %{width}.{_DECIMALS}f" * 2)
    out.write(f" AtomData:  {' '.join(names)}\n")
    np.savetxt(out, np.hstack(blocks), fmt=" ".join(formats))
    if configuration.energy is not None:
        out.write(f" Energy\n    {configuration.energy:20.12f}\n")
    if configuration.plus_stress is not None:
        out.write(f" PlusStress:  {'  '.join(_STRESS_ORDER)}\n")
        out.write("     " + " ".join(f"{value:.{_DECIMALS}f}" for value in configuration.plus_stress) + "\n")
    for name, value in configuration.features.items():
        for text in value.split("\n"):
            out.write(f" Feature   {name}\t{text}\n")
    out.write("END_CFG\n\n")
    return out.getvalue()


def write_configurations(path: Path, configurations: Iterable[Configuration]) -> int:
    """Write a ``.cfg`` file, atomically and one configuration at a time.

    Parameters
    ----------
    path
        File to write or replace.
    configurations
        What to write.

    Returns
    -------
    int
        How many configurations were written.

    Raises
    ------
    UserInputError
        If a number is not finite or the file cannot be written; what was there before is kept then.
    """
    temporary = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            for configuration in configurations:
                _refuse_unusable_numbers(configuration, count)
                stream.write(format_configuration(configuration))
                count += 1
        temporary.replace(path)
    except OSError as problem:
        raise UserInputError(f"{path}: cannot be written: {problem.strerror}; choose another place") from problem
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _refuse_unusable_numbers(configuration: Configuration, index: int) -> None:
    for what in ("cell", "positions", "energy", "forces", "plus_stress"):
        value = getattr(configuration, what)
        if value is not None and not np.isfinite(value).all():
            raise UserInputError(f"configuration {index}: {what} is not finite; nothing was written")
