"""CP2K: its data files, its installation, its output."""
