"""Energetics and transport: pure functions on arrays."""
