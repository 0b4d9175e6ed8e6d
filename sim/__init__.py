"""The world, its record and the reading of the record; importing it checks that our sibling packages are really ours.

Other distributions install a top-level package called ``agents`` (docs/decisions/0001-folders.md). A silent mixture of
two packages of one name is worse than an error, so the first import of ``sim`` compares where each sibling resolves.
"""

from importlib.util import find_spec
from pathlib import Path

SIBLINGS = ("agents", "scenarios", "viz", "experiments")


def check_siblings(names: tuple[str, ...] = SIBLINGS, *, home: Path | None = None) -> None:
    """Raise ImportError naming both paths when a sibling package resolves to another folder than ours.

    Args:
        names: Top-level packages that must stand beside ``sim``.
        home: The folder that holds ``sim``; taken from this file when omitted.
    """
    root = (home or Path(__file__).parent.parent).resolve()
    for name in names:
        spec = find_spec(name)
        places = [] if spec is None else [Path(p).resolve() for p in spec.submodule_search_locations or ()]
        if (root / name) in places:
            continue
        found = places[0] if places else "nothing"
        raise ImportError(
            f"import name '{name}': expected Swarmscope's package at {root / name}, found {found}. "
            "Another installed distribution shadows it: run Swarmscope in an environment of its own."
        )


check_siblings()
