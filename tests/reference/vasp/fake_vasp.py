"""Stands in for VASP in tests: reads its input files, refuses what VASP would refuse, and writes its output files.

Run it in a folder with INCAR, KPOINTS, POSCAR and POTCAR. Energies, forces and stress are those of Lennard-Jones
pairs; eigenvalues are free-electron-like bands with a gap; densities are Gaussians. The energy has a made-up smearing
part, so that free energy and energy at zero smearing differ. ``FAKE_VASP_FAILS`` names a failure to show:

- ``zbrent``: a relaxation stops until NELMIN is at least 8, which is custodian's first remedy;
- ``brmix``: charge mixing fails until IMIX is 1, its second remedy;
- ``brmix-always``: charge mixing fails whatever is done;
- ``unconverged``: the electronic loop uses up NELM;
- ``old``: a release that does not know LATTICE_CONSTRAINTS.

``FAKE_VASP_CHARGES`` gives the ions charges, as ``Li=0.8,Cl=-0.8``: their Gaussians hold that many electrons less, and
so do their Bader basins but for the Gaussians' tails. ``FAKE_VASP_FAILS_ABOVE_A`` lets charge mixing fail for good in
cells whose first vector is longer than that.
"""

import os
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from ase import Atoms, units
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Incar, Kpoints, Poscar

# Tags that VASP 6.4 knows and that this project, or custodian, writes.
KNOWN_TAGS = frozenset(
    (
        "AEXX",
        "AGGAC",
        "ALGO",
        "AMIN",
        "AMIX",
        "AMIX_MAG",
        "ANDERSEN_PROB",
        "BMIX",
        "BMIX_MAG",
        "DIPOL",
        "EDIFF",
        "EDIFFG",
        "ENAUG",
        "ENCUT",
        "GGA",
        "HFSCREEN",
        "IBRION",
        "ICHARG",
        "IDIPOL",
        "IMIX",
        "ISEARCH",
        "ISIF",
        "ISMEAR",
        "ISPIN",
        "ISTART",
        "ISYM",
        "IVDW",
        "KBLOCK",
        "LAECHG",
        "LANGEVIN_GAMMA",
        "LANGEVIN_GAMMA_L",
        "LASPH",
        "LATTICE_CONSTRAINTS",
        "LCHARG",
        "LDAU",
        "LDAUJ",
        "LDAUL",
        "LDAUTYPE",
        "LDAUU",
        "LDIPOL",
        "LHFCALC",
        "LMAXMIX",
        "LORBIT",
        "LREAL",
        "LUSE_VDW",
        "LWAVE",
        "MAGMOM",
        "MDALGO",
        "NEDOS",
        "NELECT",
        "NELM",
        "NELMDL",
        "NELMIN",
        "NSW",
        "PARAM1",
        "PARAM2",
        "PMASS",
        "POTIM",
        "PREC",
        "PRECFOCK",
        "PSTRESS",
        "RANDOM_SEED",
        "SIGMA",
        "SMASS",
        "TEBEG",
        "TEEND",
    )
)
ENTROPY_EV_PER_ATOM = 0.001  # e_0 - e_fr; the energy without entropy is as far from e_0
BAND_GAP_EV, CONDUCTION_MASS, N_BANDS = 3.0, 0.5, 8
HBAR2_OVER_M = 7.619964231
KB_PER_EV_A3 = 10 / units.GPa
CALCULATOR = {"sigma": 2.3, "epsilon": 0.2, "rc": 5.0, "ro": 3.5, "smooth": True}


class Inputs:
    def __init__(self):
        self.incar = Incar.from_file("INCAR")
        self.kpoints = Kpoints.from_file("KPOINTS")
        self.poscar = Poscar.from_file("POSCAR")
        self.structure = self.poscar.structure
        self.titles, self.valences = read_potcar()
        self.n_ions = len(self.structure)
        neutral = sum(v * n for v, n in zip(self.valences, self.poscar.natoms, strict=True))
        self.n_electrons = float(self.incar.get("NELECT", neutral))
        self.points, self.weights = expand(self.kpoints, self.structure)

    @property
    def n_spins(self):
        return self.incar.get("ISPIN", 1)


def read_potcar():
    titles, valences = [], []
    for line in Path("POTCAR").read_text().splitlines():
        if "TITEL" in line:
            titles.append(line.split("=")[1].strip())
        if "ZVAL" in line:
            valences.append(float(line.split("ZVAL")[1].split("=")[1].split()[0]))
    return titles, valences


def expand(kpoints, structure):
    if str(kpoints.style) == "Reciprocal":
        weights = np.array(kpoints.kpts_weights, dtype=float)
        return np.array(kpoints.kpts, dtype=float), weights / weights.sum()
    divisions = np.array(kpoints.kpts[0])
    shift = 0.0 if str(kpoints.style) == "Gamma" else (1 - divisions % 2) / 2
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in divisions), indexing="ij"), axis=-1).reshape(-1, 3)
    return (grid + shift) / divisions, np.full(len(grid), 1 / len(grid))


def refuse(message):
    sys.stdout.write(f" {message}\n")
    sys.exit(1)


def check(inputs):
    incar, poscar = inputs.incar, inputs.poscar
    if unknown := sorted(set(incar) - KNOWN_TAGS):
        refuse(f"Error reading item {unknown[0]} from file INCAR.")
    if len(inputs.titles) != len(poscar.site_symbols):
        refuse("ERROR: number of potentials on File POTCAR incompatible with number of species")
    for title, symbol in zip(inputs.titles, poscar.site_symbols, strict=True):
        if title.split()[1].split("_")[0] != symbol:
            refuse(f"ERROR: POTCAR {title} does not belong to {symbol}")
    if incar["ISMEAR"] == -5 and len(inputs.points) < 4:
        refuse("Tetrahedron method fails (number of k-points < 4)")
    if inputs.n_spins == 2 and len(incar["MAGMOM"]) != inputs.n_ions:
        refuse("Error reading item MAGMOM from file INCAR.")
    if incar.get("MDALGO") == 3 and len(incar["LANGEVIN_GAMMA"]) != len(poscar.site_symbols):
        refuse("Error reading item LANGEVIN_GAMMA from file INCAR.")
    if incar.get("LHFCALC") and incar["ALGO"] not in ("Normal", "All", "Damped"):
        refuse("ERROR: hybrid functionals need ALGO = Normal, All or Damped")
    if incar.get("LDIPOL") and incar.get("IDIPOL") not in (1, 2, 3, 4):
        refuse("ERROR: LDIPOL without IDIPOL")
    if incar["IBRION"] == 0 and "POTIM" not in incar:
        refuse("ERROR: POTIM must be set for molecular dynamics")
    if not 1 < inputs.n_electrons < 2 * N_BANDS * inputs.n_ions:
        refuse(f"ERROR: NELECT = {inputs.n_electrons} makes no sense")


def fail(inputs):
    failure, incar = os.environ.get("FAKE_VASP_FAILS", ""), inputs.incar
    if failure == "zbrent" and incar["IBRION"] == 2 and incar["NELMIN"] < 8:
        Path("CONTCAR").write_text(Path("POSCAR").read_text())
        refuse("ZBRENT: fatal error in bracketing")
    too_long = inputs.structure.lattice.a > float(os.environ.get("FAKE_VASP_FAILS_ABOVE_A", "inf"))
    if too_long or failure == "brmix-always" or (failure == "brmix" and incar.get("IMIX") != 1):
        refuse("BRMIX: very serious problems")


def ase_atoms(inputs):
    atoms = Atoms(
        numbers=inputs.structure.atomic_numbers,
        cell=inputs.structure.lattice.matrix,
        positions=inputs.structure.cart_coords,
        pbc=True,
    )
    atoms.calc = LennardJones(**CALCULATOR)
    return atoms


def frame_of(atoms):
    return {
        "cell": atoms.cell.array.copy(),
        "positions": atoms.get_scaled_positions(wrap=False),
        "energy": atoms.get_potential_energy(),
        "forces": atoms.get_forces(),
        "kilobar": -KB_PER_EV_A3 * atoms.get_stress(voigt=False),
        "volume": atoms.get_volume(),
    }


def relax(inputs, atoms):
    incar = inputs.incar
    mask = np.ones((3, 3))
    if "LATTICE_CONSTRAINTS" in incar and os.environ.get("FAKE_VASP_FAILS") != "old":
        free = np.array(incar["LATTICE_CONSTRAINTS"])
        mask = np.outer(free, free).astype(float)
    moving = FrechetCellFilter(atoms, mask=mask) if incar["ISIF"] == 3 else atoms
    optimiser = BFGS(moving, logfile=None)
    frames = []
    for _ in optimiser.irun(fmax=0.0, steps=incar["NSW"] - 1):
        frames.append(frame_of(atoms))
        largest = np.linalg.norm(moving.get_forces(), axis=1).max()
        change = abs(frames[-1]["energy"] - frames[-2]["energy"]) if len(frames) > 1 else np.inf
        tolerance = incar["EDIFFG"]
        if (tolerance < 0 and largest < -tolerance) or change < tolerance:
            break
    return frames


def dynamics(inputs, atoms):
    incar = inputs.incar
    step = incar["POTIM"] * units.fs
    if inputs.poscar.velocities is not None:
        atoms.set_velocities(np.array(inputs.poscar.velocities) / units.fs)
    else:
        MaxwellBoltzmannDistribution(
            atoms, temperature_K=incar["TEBEG"], rng=np.random.default_rng(incar["RANDOM_SEED"][0])
        )
    frames = []
    for _ in range(incar["NSW"]):
        frames.append(frame_of(atoms))
        velocities = atoms.get_velocities() + atoms.get_forces() / atoms.get_masses()[:, None] * step
        atoms.set_velocities(velocities)
        atoms.positions += velocities * step
    return frames


def run(inputs):
    atoms = ase_atoms(inputs)
    if inputs.incar["NSW"] == 0:
        frames = [frame_of(atoms)]
    elif inputs.incar["IBRION"] == 0:
        frames = dynamics(inputs, atoms)
    else:
        frames = relax(inputs, atoms)
    return atoms, frames


def eigenvalues(inputs):
    """Bands: flat valence bands with the electrons, then one parabolic conduction band and flat ones above it."""
    reciprocal = 2 * np.pi * np.linalg.inv(inputs.structure.lattice.matrix)
    folded = inputs.points - np.round(inputs.points)
    squares = ((folded @ reciprocal.T) ** 2).sum(axis=1)
    n_valence = int(np.ceil(inputs.n_electrons / 2))
    bands = np.zeros((len(inputs.points), n_valence + N_BANDS))
    bands[:, :n_valence] = np.linspace(-5.0, 0.0, n_valence)
    bands[:, n_valence] = BAND_GAP_EV + HBAR2_OVER_M * squares / (2 * CONDUCTION_MASS)
    bands[:, n_valence + 1 :] = bands[:, n_valence : n_valence + 1] + np.arange(1, N_BANDS)
    return bands, (np.arange(bands.shape[1]) < n_valence).astype(float)


# --- vasprun.xml ------------------------------------------------------------------------------------------------------


def tag(name, value):
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"} </i>'
    if isinstance(value, list):
        words = " ".join("FT"[v] if isinstance(v, bool) else str(v) for v in value)
        attribute = {bool: ' type="logical"', int: ' type="int"'}.get(type(value[0]), "")
        return f'<v{attribute} name="{name}"> {words} </v>'
    if isinstance(value, int):
        return f'<i type="int" name="{name}"> {value}</i>'
    if isinstance(value, float):
        return f'<i name="{name}"> {value:.8f}</i>'
    return f'<i type="string" name="{name}"> {escape(str(value))}</i>'


def varray(name, rows):
    lines = "".join("<v>" + " ".join(f"{x:.10f}" for x in row) + "</v>\n" for row in rows)
    return f'<varray name="{name}">\n{lines}</varray>\n'


def structure_xml(frame, name=""):
    attribute = f' name="{name}"' if name else ""
    volume = f'<i name="volume"> {frame["volume"]:.8f} </i>'
    crystal = f"<crystal>{varray('basis', frame['cell'])}{volume}</crystal>"
    return f"<structure{attribute}>{crystal}{varray('positions', frame['positions'])}</structure>\n"


def energies_xml(frame, n_ions):
    free = frame["energy"]
    values = {
        "e_fr_energy": free,
        "e_wo_entrp": free + 2 * n_ions * ENTROPY_EV_PER_ATOM,
        "e_0_energy": free + n_ions * ENTROPY_EV_PER_ATOM,
    }
    return "<energy>" + "".join(f'<i name="{name}"> {value:.8f} </i>' for name, value in values.items()) + "</energy>"


def atominfo_xml(inputs):
    counts, symbols = inputs.poscar.natoms, inputs.poscar.site_symbols
    atoms = "".join(
        f"<rc><c>{symbol}</c><c>{index + 1}</c></rc>"
        for index, (symbol, count) in enumerate(zip(symbols, counts, strict=True))
        for _ in range(count)
    )
    types = "".join(
        f"<rc><c>{count}</c><c>{symbol}</c><c>1.0</c><c>{valence}</c><c>{title}</c></rc>"
        for count, symbol, valence, title in zip(counts, symbols, inputs.valences, inputs.titles, strict=True)
    )
    return (
        f"<atominfo><atoms>{inputs.n_ions}</atoms><types>{len(symbols)}</types>"
        f'<array name="atoms"><set>{atoms}</set></array><array name="atomtypes"><set>{types}</set></array></atominfo>\n'
    )


def kpoints_xml(inputs):
    listed = str(inputs.kpoints.style) == "Reciprocal"
    generation = ""
    if not listed:
        divisions = " ".join(str(n) for n in inputs.kpoints.kpts[0])
        style = inputs.kpoints.style
        generation = f'<generation param="{style}"><v type="int" name="divisions"> {divisions} </v></generation>'
    weights = varray("weights", inputs.weights[:, None])
    return f"<kpoints>{generation}{varray('kpointlist', inputs.points)}{weights}</kpoints>\n"


def eigenvalues_xml(inputs):
    bands, occupations = eigenvalues(inputs)
    points = "".join(
        f'<set comment="kpoint {index + 1}">'
        + "".join(f"<r> {e:.6f} {o:.4f} </r>" for e, o in zip(energies, occupations, strict=True))
        + "</set>"
        for index, energies in enumerate(bands)
    )
    spins = "".join(f'<set comment="spin {s + 1}">{points}</set>' for s in range(inputs.n_spins))
    return f"<eigenvalues><array><field>eigene</field><field>occ</field><set>{spins}</set></array></eigenvalues>\n"


def dos_xml(inputs):
    """Densities that are one Gaussian below and one above the gap, shared equally by the ions' s states."""
    grid = np.linspace(-10, 10, inputs.incar.get("NEDOS", 301))
    density = np.exp(-((grid + 2.5) ** 2)) + np.exp(-((grid - 5.5) ** 2))
    density[(grid > 0) & (grid < BAND_GAP_EV)] = 0.0
    density *= inputs.n_electrons / (density[grid <= 0].sum() * (grid[1] - grid[0])) / inputs.n_spins
    integral = np.cumsum(density) * (grid[1] - grid[0])
    total_rows = "".join(f"<r> {e:.5f} {d:.5f} {i:.5f} </r>" for e, d, i in zip(grid, density, integral, strict=True))
    ion_rows = "".join(f"<r> {e:.5f} {d:.5f} 0.0 </r>" for e, d in zip(grid, density / inputs.n_ions, strict=True))
    spins = range(1, inputs.n_spins + 1)
    total = "".join(f'<set comment="spin {s}">{total_rows}</set>' for s in spins)
    ions = "".join(
        f'<set comment="ion {ion + 1}">'
        + "".join(f'<set comment="spin {s}">{ion_rows}</set>' for s in spins)
        + "</set>"
        for ion in range(inputs.n_ions)
    )
    fields = "<field>energy</field><field>s</field><field>p</field>"
    return (
        f'<dos><i name="efermi"> 0.5 </i><total><array><set>{total}</set></array></total>'
        f"<partial><array>{fields}<set>{ions}</set></array></partial></dos>\n"
    )


def n_iterations(inputs):
    return inputs.incar["NELM"] if os.environ.get("FAKE_VASP_FAILS") == "unconverged" else 3


def write_vasprun(inputs, frames, final):
    defaults = {"NELM": 60, "NSW": 0, "IBRION": -1, "ISIF": 2, "ISPIN": 1, "LORBIT": 0, "ALGO": "Normal", "EDIFFG": 0.0}
    defaults |= {
        "LHFCALC": False,
        "LASPH": False,
        "NELMDL": -5,
        "NELMIN": 2,
        "ISMEAR": 1,
        "SIGMA": 0.2,
        "METAGGA": "--",
    }
    defaults |= {"AEXX": 0.0, "GGA": "--", "LUSE_VDW": False, "IVDW": 0, "ICHARG": 2, "LCHIMAG": False, "EDIFF": 1e-4}
    defaults |= {"LDAU": False}
    parameters = (
        defaults | dict(inputs.incar) | {"NELECT": inputs.n_electrons, "NBANDS": eigenvalues(inputs)[0].shape[1]}
    )
    steps = "".join(
        "<calculation>"
        + f"<scstep>{energies_xml(frame, inputs.n_ions)}</scstep>" * n_iterations(inputs)
        + structure_xml(frame)
        + varray("forces", frame["forces"])
        + varray("stress", frame["kilobar"])
        + energies_xml(frame, inputs.n_ions)
        + (eigenvalues_xml(inputs) + dos_xml(inputs) if frame is frames[-1] else "")
        + "</calculation>\n"
        for frame in frames
    )
    Path("vasprun.xml").write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
        '<generator><i name="program" type="string">vasp</i><i name="version" type="string">6.4.3</i></generator>\n'
        f"<incar>{''.join(tag(*item) for item in inputs.incar.items())}</incar>\n"
        + kpoints_xml(inputs)
        + f"<parameters>{''.join(tag(*item) for item in parameters.items())}</parameters>\n"
        + atominfo_xml(inputs)
        + structure_xml(frames[0], "initialpos")
        + steps
        + structure_xml(final, "finalpos")
        + "</modeling>\n"
    )


# --- OUTCAR and the others --------------------------------------------------------------------------------------------


def outcar_step(inputs, frame):
    k = frame["kilobar"]
    kilobar = (k[0, 0], k[1, 1], k[2, 2], k[0, 1], k[1, 2], k[0, 2])
    free, shift = frame["energy"], inputs.n_ions * ENTROPY_EV_PER_ATOM
    text = f" number of electron {inputs.n_electrons:15.7f} magnetization {0.0:15.7f}\n"
    if inputs.n_spins == 2:
        rows = "".join(
            f"{i + 1:5d}       {0.1 * (i + 1):7.3f}{0.0:8.3f}{0.0:8.3f}{0.1 * (i + 1):8.3f}\n"
            for i in range(inputs.n_ions)
        )
        rule = "-" * 32 + "\n"
        head = "\n magnetization (x)\n \n# of ion       s       p       d       tot\n"
        text += f"{head}{rule}{rows}{rule}tot  0.0  0.0  0.0  0.0\n\n"
    return text + (
        f"    total drift:                                0.000000      0.000000      0.000000\n"
        f" E-fermi :   0.5000     XC(G=0):  -5.0000     alpha+bet : -4.0000\n"
        f"  in kB {''.join(f'{x:12.5f}' for x in kilobar)}\n"
        f"  external pressure = {np.trace(k) / 3:12.2f} kB  Pullay stress = 0.00 kB\n"
        f"  free  energy   TOTEN  = {free:18.8f} eV\n\n"
        f"  energy  without entropy= {free + 2 * shift:18.8f}  energy(sigma->0) = {free + shift:18.8f}\n"
    )


def write_outcar(inputs, frames):
    head = (
        " vasp.6.4.3 stand-in\n running on    1 total cores\n"
        f"   ISPIN  = {inputs.n_spins:6d}\n   IBRION = {inputs.incar['IBRION']:6d}\n"
        f"   NELECT = {inputs.n_electrons:12.4f}\n"
        f"   number of k-points  NKPTS = {len(inputs.points)}   number of bands    NBANDS= {N_BANDS}\n"
        "   total plane-waves  NPLWV =   4096\n"
    )
    tail = (
        " General timing and accounting informations for this job:\n"
        "                  Total CPU time used (sec):        1.000\n"
        "                            User time (sec):        1.000\n"
        "                          System time (sec):        0.000\n"
        "                         Elapsed time (sec):        1.000\n"
        "                   Maximum memory used (kb):        1000.\n"
        "                   Average memory used (kb):        N/A\n"
        "                Voluntary context switches:          1\n"
    )
    Path("OUTCAR").write_text(head + "".join(outcar_step(inputs, frame) for frame in frames) + tail)


def write_oszicar(inputs, frames):
    lines = []
    for index, frame in enumerate(frames):
        lines += ["       N       E                     dE             d eps       ncg     rms          rms(c)"]
        lines += [
            f"DAV: {n + 1:3d}    {frame['energy']:.12E}   -0.10000E-01   -0.10000E-01    32   0.100E-01"
            for n in range(3)
        ]
        free, zero = frame["energy"], frame["energy"] + inputs.n_ions * ENTROPY_EV_PER_ATOM
        lines += [f"   {index + 1} F= {free:.8E} E0= {zero:.8E}  d E ={0.0:.6E}"]
    Path("OSZICAR").write_text("\n".join(lines) + "\n")


def write_densities(inputs):
    """One Gaussian of valence electrons an ion, less its charge, and as many core electrons; about 0.2 Å of grid."""
    from pymatgen.io.vasp.outputs import Chgcar

    structure = inputs.structure
    shape = [max(8, int(length / 0.2)) for length in structure.lattice.abc]
    fractions = np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), axis=-1)
    valences = dict(zip(inputs.poscar.site_symbols, inputs.valences, strict=True))
    pairs = (pair.split("=") for pair in os.environ.get("FAKE_VASP_CHARGES", "").split(",") if pair)
    charges = {symbol: float(charge) for symbol, charge in pairs}
    density = np.zeros(shape)
    for site in structure:
        offsets = fractions - site.frac_coords
        offsets -= np.round(offsets)
        bump = np.exp(-((offsets @ structure.lattice.matrix) ** 2).sum(axis=-1) / (2 * 0.4**2))
        symbol = site.specie.symbol
        density += (valences[symbol] - charges.get(symbol, 0.0)) * bump / bump.mean()
    for name in ("AECCAR0", "AECCAR2", "CHGCAR"):
        Chgcar(inputs.poscar, {"total": density}).write_file(name)


def main():
    inputs = Inputs()
    check(inputs)
    fail(inputs)
    atoms, frames = run(inputs)
    final = frame_of(atoms)
    write_vasprun(inputs, frames, final)
    write_outcar(inputs, frames)
    write_oszicar(inputs, frames)
    structure = Structure(final["cell"], inputs.structure.species, final["positions"])
    moving = inputs.incar["IBRION"] == 0
    Poscar(structure, velocities=(atoms.get_velocities() * units.fs).tolist() if moving else None).write_file(
        "CONTCAR", significant_figures=16
    )
    for name in ("XDATCAR", "EIGENVAL", "DOSCAR", "CHG", "WAVECAR"):
        Path(name).touch()
    if inputs.incar.get("LAECHG"):
        write_densities(inputs)
    sys.stdout.write(" vasp.6.4.3 stand-in: reached required accuracy - stopping structural energy minimisation\n")


if __name__ == "__main__":
    main()
