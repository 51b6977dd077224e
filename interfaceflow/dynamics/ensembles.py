"""Thermostats and barostats as LAMMPS commands.

Langevin forces bring any start to equilibrium quickly, mode by mode, and make every seed another path; but they
change how far atoms get, so production runs in a Nosé-Hoover chain.
"""

from __future__ import annotations

from typing import Final, Literal

Barostat = Literal["none", "normal", "isotropic"]

_LANGEVIN_DAMPING_PS: Final = 0.1
_NOSE_HOOVER_DAMPING_STEPS: Final = 100
_PRESSURE_DAMPING_PS: Final = 1.0
_DRAG: Final = 10.0
_LARGEST_SEED: Final = 900_000_000


def langevin_lines(
    from_K: float, to_K: float, *, seed: int, barostat: Barostat = "none", group: str = "all"
) -> tuple[str, ...]:
    """Return the commands of Langevin dynamics, of the whole cell or one group of atoms.

    Parameters
    ----------
    from_K, to_K
        Temperature at the beginning and the end of the run [K].
    seed
        Seed of the random forces.
    barostat
        Which pressure is relaxed to zero: none, along the third axis alone, or all three together. The cell's lower
        corner stays where it is, and its vectors are never exchanged for shorter ones.
    group
        Atoms that move.
    """
    motion = {
        "none": "nve",
        "normal": f"nph z 0 0 {_PRESSURE_DAMPING_PS} scalexz no scaleyz no flip no fixedpoint 0 0 0 drag {_DRAG}",
        "isotropic": f"nph iso 0 0 {_PRESSURE_DAMPING_PS} flip no fixedpoint 0 0 0 drag {_DRAG}",
    }[barostat]
    bath = f"{from_K:.10g} {to_K:.10g} {_LANGEVIN_DAMPING_PS} {1 + seed % _LARGEST_SEED} zero yes"
    return f"fix move {group} {motion}", f"fix heat_bath {group} langevin {bath}"


def nose_hoover_line(temperature_K: float, timestep_fs: float) -> str:
    """Return the command of a Nosé-Hoover chain at constant cell; its state is kept in restart files.

    Parameters
    ----------
    temperature_K
        Temperature [K].
    timestep_fs
        Time step [fs]; the chain's time is 100 of them.
    """
    return f"fix thermostat all nvt {_heat_bath(temperature_K, timestep_fs)}"


def two_phase_line(temperature_K: float, timestep_fs: float) -> str:
    """Return the command of a Nosé-Hoover chain and barostat at zero pressure for two phases, one above the other.

    The cell breathes along the third axis, and in the plane of the others without changing shape there.

    Parameters
    ----------
    temperature_K
        Temperature [K].
    timestep_fs
        Time step [fs].
    """
    damping = _PRESSURE_DAMPING_PS
    pressure = f"x 0 0 {damping} y 0 0 {damping} z 0 0 {damping} couple xy flip no fixedpoint 0 0 0 drag {_DRAG}"
    return f"fix hold all npt {_heat_bath(temperature_K, timestep_fs)} {pressure}"


def _heat_bath(temperature_K: float, timestep_fs: float) -> str:
    damping = _NOSE_HOOVER_DAMPING_STEPS * timestep_fs / 1000.0
    return f"temp {temperature_K:.10g} {temperature_K:.10g} {damping:.6g}"
