"""Settings and Docs: one meaning and unit per field."""
