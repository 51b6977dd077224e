"""Equivariant networks (NequIP): training, compilation, evaluation and extrapolation grades."""
