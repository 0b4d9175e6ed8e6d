"""Templates, shapes and patterns without a name: right names, calibrated doubt, stable ids.

Fresh graphs: numbers and seeds that neither training nor calibration used.
"""

from collections import Counter

import numpy as np
import pytest

from scenarios.worlds.world import worlds
from sim.detectors import unnamed
from sim.detectors.engine import detect
from sim.detectors.features import describe
from sim.detectors.template_families import SMALL_TEMPLATES, TEMPLATES
from sim.detectors.templates import (
    CALIBRATION,
    TRAINING,
    UNCLASSIFIED,
    classify,
    classify_image,
    disturbed,
    draw_large,
    drawn,
    large,
    likeness,
    specimen,
)

EACH = 25  # graphs of each template; 4 standard errors of a share of 0.9 are 0.067, of 0.05 are 0.048


def test_names_are_right_and_doubt_is_rare_up_to_a_fifth_of_noise():
    """Measured over 40 graphs each: accuracy 0.93 at 0-5 % and 0.91 at 10-20 %, unclassified 5.8 and 5.4 %."""
    names = [
        (t.name, likeness(specimen(t, 7000 + k), large(), alpha=0.05).name) for t in TEMPLATES for k in range(EACH)
    ]
    assert np.mean([told == name for name, told in names]) > 0.85
    assert np.mean([told == UNCLASSIFIED for _, told in names]) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / len(names))


def test_the_shipped_file_holds_what_its_command_draws():
    some = draw_large([0, TRAINING, TRAINING + CALIBRATION - 1])
    measured = {m.name: m for m in large().measures}
    assert set(some) == set(measured)
    with np.load(unnamed.FILE.with_name("templates.npz")) as stored:
        for name, rows in some.items():
            kept = stored[name][[0, TRAINING, -1]].astype(np.float64)
            assert np.allclose(rows, kept, atol=2e-3, rtol=2e-3)


def lattice(side):
    n = side * side
    x, y = np.arange(n) % side, np.arange(n) // side
    return (np.abs(np.subtract.outer(x, x)) + np.abs(np.subtract.outer(y, y)) == 1).astype(float)


def attached(rng, n):
    flow, degree = np.zeros((n, n)), np.ones(n)
    for i in range(3, n):
        for j in rng.choice(i, 2, replace=False, p=degree[:i] / degree[:i].sum()):
            flow[i, j] = flow[j, i] = 1.0
            degree[j] += 1
    return flow


def test_families_never_seen_are_unclassified():
    told = Counter()
    for k in range(20):
        rng = np.random.default_rng([k, 5])
        for name, flow in {"lattice": lattice(5 + k % 5), "attached": attached(rng, 30 + 3 * k)}.items():
            graph = disturbed(rng, flow, scattered=0.1 * rng.random(), rewired=0.1 * rng.random(), contacts=40.0)
            told[name] += classify(graph).name == UNCLASSIFIED
    assert min(told.values()) >= 18


@pytest.mark.parametrize("groups", [4, 8])
def test_images_of_groups_are_named(groups):
    names = [
        (t.name, classify_image(drawn(t, 9000 + k, size=(groups, groups))).name)
        for least, t in SMALL_TEMPLATES
        if groups >= least
        for k in range(EACH)
    ]
    assert np.mean([told == name for name, told in names]) > 0.75


def test_sizes_without_a_catalogue_are_not_judged():
    assert classify(np.ones((5, 5))) is None
    assert classify_image(np.ones((2, 2))) is None


@pytest.mark.parametrize("name", ["ring of teams", "hub of teams"])
def test_compositions_are_discovered_by_name(name):
    report = detect(worlds.get(name).log(3), detectors=["shapes"])
    assert [s.kind for s in report.discovered] == [name]
    assert f"as a {name}" in report.discovered[0].sentence


def test_a_shape_of_its_own_is_unclassified_and_teams_are_not():
    """A circle of neighbours is unclassified in 9 of 16 worlds of this size, else too much like teams to say."""
    reports = [detect(worlds.get("round of neighbours").log(s, events=2000), detectors=["shapes"]) for s in range(5, 8)]
    found = [s for report in reports for s in report.discovered if s.kind == "unclassified:U-0000"]
    assert len(found) >= 2
    assert all("unlike all templates" in s.sentence for s in found)
    assert not detect(worlds.get("teams").log(3), detectors=["shapes"]).discovered


def test_noise_makes_no_shape():
    """20 worlds of two kinds; more than 8 of 40 at 5 % have probability 1e-4."""
    logs = [worlds.get(name).log(s) for name in ("random mixing", "uneven activity") for s in range(20)]
    assert sum(bool(detect(log, detectors=["shapes"]).discovered) for log in logs) <= 8


def sightings():
    made = []
    for k in range(8):
        rng = np.random.default_rng(k)
        for flow in (lattice(6), attached(rng, 45)):
            graph = disturbed(rng, flow, scattered=0.05, rewired=0.05, contacts=50.0)
            made.append(unnamed.Sighting(describe(graph), seed=k, setting=f"s{k % 2}"))
    return made


def test_recurring_patterns_get_ids_that_stay():
    seen = sightings()
    found, registry = unnamed.recurring(seen, unnamed.Registry({}))
    assert sorted(p.id for p in found) == ["U-0001", "U-0002"]
    assert {frozenset(p.sightings) for p in found} == {frozenset(range(0, 16, 2)), frozenset(range(1, 16, 2))}
    assert all(p.stability > 0.75 and p.seeds == 8 and p.settings == 2 and p.says for p in found)
    again, same = unnamed.recurring(seen[::-1][:12], registry)
    assert {p.id for p in again} == {"U-0001", "U-0002"}
    assert set(same.medoids) == set(registry.medoids)
    first = next(p for p in found if 0 in p.sightings)
    assert registry.name(seen[0].features) == first.id


def test_what_is_seen_in_one_setting_or_two_seeds_gets_no_id():
    seen = sightings()
    assert unnamed.recurring([s for s in seen if s.setting == "s0"], unnamed.Registry({}))[0] == []
    assert unnamed.recurring([s for s in seen if s.seed < 2], unnamed.Registry({}))[0] == []
    assert unnamed.recurring([], unnamed.Registry({}))[0] == []


def test_a_registry_survives_its_file_and_a_broken_one_is_refused(tmp_path):
    _, registry = unnamed.recurring(sightings(), unnamed.Registry({}))
    path = tmp_path / "unnamed.json"
    registry.write(path)
    back = unnamed.read(path)
    assert all(np.allclose(back.medoids[name], m, atol=1e-3) for name, m in registry.medoids.items())
    assert unnamed.read(tmp_path / "absent.json").name(sightings()[0].features) == unnamed.NEW
    path.write_text('{"U-1": [1, 2]}')
    with pytest.raises(unnamed.RegistryError, match="expected ids"):
        unnamed.read(path)
