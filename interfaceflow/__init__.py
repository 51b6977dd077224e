"""From two crystals to a transport verdict: solid-solid battery interfaces as one workflow."""

__version__ = "0.1.0"
