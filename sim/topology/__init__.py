"""Topologies: the schema, layout, drawing, and one exporter per file."""
