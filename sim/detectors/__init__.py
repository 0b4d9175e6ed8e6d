"""Detectors: one structure per file, and the engine that alone runs nulls, tracking and correction."""
