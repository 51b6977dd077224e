"""VASP: input files from typed settings, what is refused before a run, and what is read from it after.

Nothing here runs VASP; `interfaceflow.jobs` does, through atomate2 and custodian.
"""
