"""Draws the pictures of the gallery anew: who dealt with whom in a short run of each scenario's first preset."""

from __future__ import annotations

import sys

import numpy as np

from experiments.plan import engine_of, plan
from sim.record.log import Log
from sim.spec import scenarios
from sim.topology.ink import n
from viz.parts import COLOURS
from viz.pictures import FOLDER
from viz.scene import Scene, Stage, scene, stage
from viz.tape import Tape

WIDTH, HEIGHT, EDGE = 240.0, 150.0, 12.0
MOST_LINES = 160


def drawn(at: Stage, seen: Scene) -> str:
    """Agents and their strongest links as a small SVG picture."""
    places = at.places * [WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE] + EDGE
    order = np.argsort(-seen.traffic, kind="stable")[:MOST_LINES]
    most = max(float(seen.traffic.max(initial=0.0)), 1.0)
    lines = []
    for k in order[::-1]:
        share = float(np.sqrt(seen.traffic[k] / most))
        if share > 0:
            (x0, y0), (x1, y1) = places[at.links[k, 0]], places[at.links[k, 1]]
            lines.append(
                f'<path d="M{n(x0)} {n(y0)}L{n(x1)} {n(y1)}" stroke-width="{n(0.3 + 2.6 * share**2)}" '
                f'stroke-opacity="{n(0.1 + 0.75 * share)}"/>'
            )
    busy = seen.activity / max(float(seen.activity.max(initial=0.0)), 1.0)
    dots = [
        f'<circle cx="{n(x)}" cy="{n(y)}" r="{n((2.0 if at.n < 100 else 1.2) * (1 + 1.2 * b))}"/>'
        for (x, y), b in zip(places, np.sqrt(busy), strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(WIDTH)} {n(HEIGHT)}"><g stroke="{COLOURS[0]}" fill="none">'
        f'{"".join(lines)}</g><g fill="{COLOURS[1]}">{"".join(dots)}</g></svg>'
    )


def draw(name: str) -> None:
    """Draw one scenario."""
    asked = plan(name)
    engine = engine_of(asked)
    tape = Tape(most=10**9)
    end = min(asked.until, 400.0)
    engine.advance(end, tape)
    at = stage(engine.beside() if engine.built.contacts is not None else Log(events=tape.frame()))
    text = drawn(at, scene(tape, at, end=end, length=end / 2))
    (FOLDER / f"{name}.svg").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for each in sys.argv[1:] or scenarios.names():
        draw(each)
        print(each)
