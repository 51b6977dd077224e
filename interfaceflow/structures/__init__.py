"""Crystals, slabs, interfaces and production cells that check themselves."""
