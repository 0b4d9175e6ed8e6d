"""The books of a world: where the engine and every kernel find the shared counters and sums."""

# Places in World.count that every world has; a scenario's own begin at OWN_COUNT.
PENDING, ROUND, PHASE, PLACE, FROM, OWN_COUNT = 0, 1, 2, 3, 4, 8
# Places in World.sums that every world has; a scenario's own begin at OWN_SUM.
NOW, SINCE, OWN_SUM = 0, 1, 4
# Sequential worlds: update number ``count[FROM]`` was the first after ``sums[SINCE]``, when the population last grew.
