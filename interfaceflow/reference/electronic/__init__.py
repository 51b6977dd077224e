"""What electrons tell: densities of states, effective masses, Bader charges; from arrays, of whichever engine."""
