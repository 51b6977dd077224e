"""Training data: which trajectories sample it, and the labelled configurations they give."""
