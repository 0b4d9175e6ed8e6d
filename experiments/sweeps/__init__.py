"""Sweeps: many runs as one study, from a specification to a phase diagram, on one machine or a cluster."""
