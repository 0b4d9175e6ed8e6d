"""Topology writers, one format per file; `sim.topology.exporters` finds them."""
