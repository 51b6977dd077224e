"""A metal against a product of its electrolyte's decomposition."""
