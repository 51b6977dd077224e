"""Reference calculations: levels of theory, calculators, relaxations, labels."""
