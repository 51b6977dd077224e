"""A cell seen from the side: the normal runs to the right, atoms coloured by element and phase."""

from __future__ import annotations

from html import escape

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from interfaceflow.analysis.msd import plane_axes
from interfaceflow.core.labels import PHASE, REGION
from interfaceflow.report.charts import css_of

LARGEST = (900.0, 480.0)
MARGIN = 26.0


def side_view(atoms: Atoms, normal_axis: int, mobile_species: str) -> str:
    """Draw a labelled cell as one ``<svg>`` element.

    Parameters
    ----------
    atoms
        Cell with phase and region labels.
    normal_axis
        Cell vector along the interface normal.
    mobile_species
        Element drawn in its phase's colour; the others are drawn as framework.
    """
    cell = np.asarray(atoms.cell)
    across, depth_axis, normal = plane_axes(cell, normal_axis)
    positions = atoms.get_positions(wrap=True)
    along, up, depth = positions @ normal, positions @ across, positions @ depth_axis
    length = abs(float(cell[normal_axis] @ normal))
    scale = min(LARGEST[0] / length, LARGEST[1] / max(float(np.ptp(up)), 1.0))
    width = length * scale + 2 * MARGIN
    height = float(np.ptp(up)) * scale + 2 * MARGIN + 24
    nearness = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)
    circles = []
    for index in np.argsort(depth):
        css = _css(atoms, int(index), mobile_species)
        radius = 0.62 * covalent_radii[atoms.numbers[index]] * scale
        x = MARGIN + (along[index] - along.min() + (length - np.ptp(along)) / 2) * scale
        y = height - MARGIN - 24 - (up[index] - up.min()) * scale
        opacity = 0.35 + 0.65 * nearness[index]
        circles.append(f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" opacity="{opacity:.2f}"/>')
    ruler = f"M{MARGIN} {height - 14:.0f}h{10 * scale:.1f}m0 -4v8m{-10 * scale:.1f} 0v-8"
    return (
        f'<svg class="cell" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="cell from the side">'
        f'{"".join(circles)}<path class="axis" d="{ruler}"/>'
        f'<text class="note" x="{MARGIN + 10 * scale + 8:.0f}" y="{height - 10:.0f}">10 Å</text>'
        f'<text class="note" x="{width - MARGIN:.0f}" y="{height - 10:.0f}" text-anchor="end">'
        "interface normal →</text></svg>"
    )


def view_legend(atoms: Atoms, mobile_species: str) -> list[tuple[str, str]]:
    """Return what the colours of :func:`side_view` mean, as (style class, words)."""
    shown: dict[str, set[tuple[str, str]]] = {}
    for index, symbol in enumerate(atoms.get_chemical_symbols()):
        shown.setdefault(_css(atoms, index, mobile_species), set()).add((str(atoms.arrays[PHASE][index]), symbol))
    return sorted((css, escape(_words(css, members))) for css, members in shown.items())


def _words(css: str, members: set[tuple[str, str]]) -> str:
    """Name what has one colour: a phase and its element, or the elements of the framework where there are several."""
    (phase, symbol), *others = sorted(members)
    name = f"framework: {', '.join(sorted({element for _, element in members}))}" if others else f"{phase}-{symbol}"
    return name + (", interface region" if css.endswith("edge") else "")


def _css(atoms: Atoms, index: int, mobile_species: str) -> str:
    side = css_of(str(atoms.arrays[PHASE][index]))
    kind = f"atom-{side}" if atoms.symbols[index] == mobile_species else "atom-framework"
    return kind + (" edge" if REGION in atoms.arrays and atoms.arrays[REGION][index] == "interface" else "")
