"""The page of a mind card: one self-contained HTML file, the curve of how it answers to others first."""

from __future__ import annotations

from importlib.resources import files

from experiments.mind_card import Card, Level, Reading
from experiments.report.charts import BLUE, ORANGE, svg
from experiments.report.markup import esc, note, section, table
from experiments.report.words import number
from sim.topology.ink import n

NAMES = {
    "solo_share": "Share of the first option when alone",
    "solo_bias": "Solo bias h",
    "majority_force": "Majority force beta",
    "coupling": "Coupling J: force of one act",
    "one_more": "One more of the others: gamma",
    "inventing": "New words beside known ones",
    "order_effect": "Option-order effect",
    "label_effect": "Label effect",
    "lost": "Decisions that could not be had",
    "parse_failures": "Replies that could not be read",
    "latency": "Latency",
    "tokens": "Tokens",
    "cost": "Cost",
}


def render(made: Card, *, command: str = "") -> str:
    """The page as one HTML text without scripts, network or other files."""
    style = files("experiments.report").joinpath("style.css").read_text(encoding="utf-8")
    title = f"Mind card: {made.mind} in {made.scenario}"
    rows = [
        [_name(key), _value(r), _bounds(r), "" if r.chance is None else number(r.chance), f"{r.n:,}", r.unit, r.note]
        for key, r in made.readings.items()
    ]
    heads = ("figure", "value", "95 % interval", "by chance", "answers", "unit", "how it is read")
    alone = [
        [str(row["words"]), f"{row['n']:,}", number(row["share"]), f"{row['low']:.3f} to {row['high']:.3f}",
         f"{row['chance']:.3f}"]
        for row in made.alone[:30]
    ]  # fmt: skip
    parts = [
        f'<header><p class="quiet">Swarmscope mind card</p><h1>{esc(title)}</h1>'
        f'<p class="lead">{esc(headline(made))}</p></header>',
        section(
            "response", "How it answers to others",
            note(f"The first option is “{made.options[0]}”, the other one “{made.options[1]}”."),
            f'<div class="charts">{"".join(_curves(made))}</div>',
        ),
        section("figures", "All figures", table(heads, rows, numeric=(1, 3, 4))),
        section(
            "alone", "What it chooses when alone",
            table(("option", "chosen", "share", "95 % interval", "by chance"), alone, numeric=(1, 2, 4)),
            note("A share that differs from chance is a prior: an outcome that follows it has not emerged."),
        ),
        section("again", "How to make this again", f"<pre>{esc(command)}</pre>" if command else ""),
    ]  # fmt: skip
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{esc(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<style>{style}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def headline(made: Card) -> str:
    """The card in one or two sentences."""
    solo, force = (
        made.readings["solo_share"],
        next(r for k, r in made.readings.items() if k.startswith("majority_force")),
    )
    words = f"Share of the first option when alone: {solo.note}."
    if solo.value is not None:
        even = solo.low is not None and solo.high is not None and solo.low <= 0.5 <= solo.high
        words = f"Alone it takes the first of two options {solo.value:.0%} of the time" + (
            ", which chance explains." if even else ": a prior of its own."
        )
    if force.value is None:
        return f"{words} {force.note[0].upper()}{force.note[1:]}." if force.note else words
    moved = (
        "It follows others" if (force.low or 0.0) > 0 else "It goes against others" if (force.high or 0.0) < 0 else None
    )
    told = f"{moved} with force beta {number(force.value)}." if moved else "Others do not move it measurably."
    return f"{words} {told}"


def lines(made: Card) -> list[str]:
    """The card for a terminal."""
    width = max(len(_name(key)) for key in made.readings)
    return [
        headline(made),
        *(
            f"{_name(key):{width}}  {_value(r)} {_bounds(r)} {r.unit if r.value is not None else f'({r.note})'}".rstrip()
            for key, r in made.readings.items()
        ),
    ]


def _name(key: str) -> str:
    known = next((name for name in NAMES if key == name or key.startswith(f"{name}_")), None)
    if known is None:
        return key.replace("_", " ")
    return NAMES[known] + (f", {key.removeprefix(known + '_')} others" if key != known else "")


def _value(reading: Reading) -> str:
    return "none" if reading.value is None else number(reading.value)


def _bounds(reading: Reading) -> str:
    if reading.low is None or reading.high is None:
        return ""
    return f"{number(reading.low)} to {number(reading.high)}"


def _curves(made: Card) -> list[str]:
    sizes = sorted({level.many for level in made.levels})
    told = "Share that takes the first option, {many} acts remembered; dots with 95 % intervals"
    told += "." if made.readings["solo_share"].value is None else "; dashed: no answer to others."
    return [
        f'<figure class="chart">{_curve([v for v in made.levels if v.many == many], made)}'
        f"<figcaption>{told.format(many=many)}</figcaption></figure>"
        for many in sizes
    ]


def _curve(levels: list[Level], made: Card) -> str:
    left, top, wide, high = 52.0, 12.0, 420.0, 200.0
    many = levels[0].many

    def x(first: float) -> float:
        return left + wide * first / many

    def y(share: float) -> float:
        return top + high * (1 - share)

    body = [f'<path d="M{n(left)} {n(y(v))}H{n(left + wide)}" class="grid"/>' for v in (0.0, 0.25, 0.5, 0.75, 1.0)]
    body += [_label(left - 6, y(v) + 4, f"{v:g}", "end") for v in (0.0, 0.5, 1.0)]
    body += [_label(x(k), top + high + 18, str(k), "middle") for k in range(many + 1) if many <= 12 or k % 4 == 0]
    body.append(_label(left + wide / 2, top + high + 36, "how many of them took the first option", "middle"))
    solo = made.readings["solo_share"].value
    if solo is not None:
        body.append(
            f'<path d="M{n(left)} {n(y(solo))}H{n(left + wide)}" stroke="{ORANGE}" stroke-width="1.5" '
            'stroke-dasharray="6 4" fill="none"/>'
        )
    known = [v for v in levels if v.n]
    points = "L".join(f"{n(x(v.first))} {n(y(v.share))}" for v in known)
    body.append(f'<path d="M{points}" fill="none" stroke="{BLUE}" stroke-width="2" class="curve"/>' if known else "")
    for v in known:
        body.append(
            f'<path d="M{n(x(v.first))} {n(y(v.low))}V{n(y(v.high))}" stroke="{BLUE}" stroke-width="2" class="curve"/>'
        )
        body.append(f'<circle cx="{n(x(v.first))}" cy="{n(y(v.share))}" r="4" fill="{BLUE}" class="dot"/>')
    told = "; ".join(f"{v.first} of {v.many}: {v.share:.2f}" for v in known)
    return svg(
        body, width=left + wide + 20, height=top + high + 46, title="Share of the first option", description=told
    )


def _label(at: float, base: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{n(at)}" y="{n(base)}" font-size="12" text-anchor="{anchor}" fill="currentColor">{esc(words)}</text>'
    )
