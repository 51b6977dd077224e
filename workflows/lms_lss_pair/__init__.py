"""A cathode against a solid electrolyte with the same framework."""
