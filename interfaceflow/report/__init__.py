"""Figures and the HTML page, from stored Docs alone."""
