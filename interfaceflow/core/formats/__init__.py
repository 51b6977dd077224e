"""File formats shared by several rooms."""
