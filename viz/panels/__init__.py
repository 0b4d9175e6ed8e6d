"""Panels of the page, one to a file."""
