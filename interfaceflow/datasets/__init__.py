"""Training configurations: ladders, splits, extended XYZ files."""
