"""The built-in moment tensor potential engine."""
