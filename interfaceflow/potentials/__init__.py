"""Interatomic potentials and the mlp contract they are driven through."""
