"""Where flows run: embedded launchpad, run, status, rerun."""
