"""Instruments: one measure per file, from the log to numbers with units."""
