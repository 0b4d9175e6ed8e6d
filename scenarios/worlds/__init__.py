"""Control worlds: event logs with a known truth, by which detectors are tuned and judged."""
