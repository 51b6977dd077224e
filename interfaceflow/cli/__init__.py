"""The command line: options and one call per command."""
