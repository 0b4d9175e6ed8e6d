"""The record: event schema, columnar log, windows, importers; the one interface between world and analysis."""
