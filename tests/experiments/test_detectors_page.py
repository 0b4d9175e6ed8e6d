"""The catalogue of detectors: made from the code, and current."""

from experiments.detectors_page import PAGE, page
from sim.detectors.core import detectors
from sim.detectors.nulls import NULLS


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m experiments.detectors_page"


def test_every_claim_and_every_null_is_on_the_page():
    text = page()
    for _, detector in detectors.items():
        for claim in detector.claims:
            assert f"| {claim.name} | {claim.null} | {claim.unit} |" in text
    assert all(f"| {name} | " in text for name in NULLS)
