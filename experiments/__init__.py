"""Experiments: run, compare, report and the command line."""
