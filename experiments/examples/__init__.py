"""Worked examples of sweeps: scripts that finish in a minute each, and that the tests run."""
