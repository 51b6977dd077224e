"""Commands: options and one call each."""
