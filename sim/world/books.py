"""The books of a world: where the engine and every kernel find the shared counters and sums."""

# Places in World.count that every world has; a scenario's own begin at OWN_COUNT.
PENDING, ROUND, PHASE, PLACE, OWN_COUNT = 0, 1, 2, 3, 8
# Places in World.sums that every world has; a scenario's own begin at OWN_SUM.
NOW, OWN_SUM = 0, 4
