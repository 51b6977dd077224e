"""Units, errors, labels, files and provenance: what every other room stands on."""
