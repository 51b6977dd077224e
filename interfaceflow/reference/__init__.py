"""Reference calculations: levels of theory, engines, labels, relaxations and reference molecular dynamics."""
