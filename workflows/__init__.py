"""One folder per recipe: the flow of a paper, its crystals and its published values; no science."""
