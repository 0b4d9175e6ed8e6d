"""Scenarios: one per file, with parameters, presets and what to notice."""
