"""Local rules: one per file, plain scalar functions over a view."""
