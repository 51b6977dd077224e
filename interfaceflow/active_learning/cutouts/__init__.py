"""Small periodic cells around the atoms of a large one that a potential extrapolates on."""
