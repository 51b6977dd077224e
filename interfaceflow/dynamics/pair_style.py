"""What LAMMPS has to be told about a potential."""

from __future__ import annotations

from dataclasses import dataclass

from interfaceflow.core.errors import UserInputError, suggest_name

_EVERY = "{every}"
_RANKS_OF_LMP = 2


@dataclass(frozen=True)
class GradeSource:
    """How LAMMPS gives the extrapolation grade of each atom.

    Attributes
    ----------
    commands
        Commands that define it; ``{every}`` stands for the steps between two evaluations.
    per_atom
        Reference to the per-atom grade, such as ``f_grade``.
    """

    commands: tuple[str, ...]
    per_atom: str

    def lines(self, every: int) -> list[str]:
        """Return the commands for an evaluation every so many steps."""
        return [command.replace(_EVERY, str(every)) for command in self.commands]


@dataclass(frozen=True)
class PairStyle:
    """An interatomic potential as LAMMPS commands.

    Attributes
    ----------
    elements
        Chemical symbols in order of the potential's types.
    commands
        ``pair_style`` and ``pair_coeff`` lines, for the units ``metal``.
    grade
        Its extrapolation grade, where it has one.
    identity
        What tells it from other potentials wherever its file lies, such as the file's SHA-256.
    program
        Words that start a program with the options of ``lmp``, for a potential that ``lmp`` itself does not have; it
        is started once, and what MPI ranks it has are its own matter. Empty for the installed ``lmp``.
    preamble
        Commands that have to come before there are atoms.

    Examples
    --------
    >>> argon = PairStyle(("Ar",), ("pair_style lj/cut 8.5", "pair_coeff * * 0.0104 3.40"))
    >>> argon.type_of("Ar")
    1
    """

    elements: tuple[str, ...]
    commands: tuple[str, ...]
    grade: GradeSource | None = None
    identity: str = ""
    program: tuple[str, ...] = ()
    preamble: tuple[str, ...] = ()

    def ranks(self, asked: int | None) -> int:
        """Return the MPI ranks of a run: as many as asked for, else two, or the one of a program of its own.

        Raises
        ------
        UserInputError
            If several are asked for, and the potential has a program of its own.
        """
        if not self.program:
            return asked or _RANKS_OF_LMP
        if asked is not None and asked > 1:
            raise UserInputError(
                f"{asked} MPI ranks are asked for (n_ranks), and this potential is computed outside LAMMPS, for all "
                "atoms at once; leave n_ranks out, or give 1"
            )
        return 1

    def type_of(self, symbol: str) -> int:
        """Return the LAMMPS type of an element, from 1.

        Raises
        ------
        UserInputError
            If the potential does not know the element.
        """
        if symbol not in self.elements:
            raise UserInputError(
                f"the potential does not know the element {symbol!r}; it was trained for "
                f"{', '.join(self.elements)}.{suggest_name(symbol, self.elements)} "
                "Train a potential with this element in its training set"
            )
        return self.elements.index(symbol) + 1
