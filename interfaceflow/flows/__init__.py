"""Makers that only wire jobs together."""
