"""Molecular dynamics in LAMMPS: inputs, segments, trajectories, melting."""
