"""The world: Mesa model, columns, clock, channels, work, keyed draws, kernels, interventions."""
