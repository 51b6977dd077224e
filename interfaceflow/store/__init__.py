"""Docs in and out of maggma, and the query API."""
