"""Potentials that are computed in Python, beside LAMMPS: a compiled network, any ASE calculator."""
