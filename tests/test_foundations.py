"""The ground everything stands on: the import guard, the registry, the parameter checks, what is installed."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sim
from sim.registry import Registry, UnknownNameError
from sim.spec import Param, ParameterError

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_a_foreign_package_called_agents_is_named_with_both_paths(tmp_path):
    foreign = tmp_path / "agents"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("Agent = object\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(ROOT)!r}); import sim"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith("ImportError: import name 'agents'")
    assert str(foreign) in last
    assert str(ROOT / "agents") in last


def test_a_missing_sibling_is_named(tmp_path):
    with pytest.raises(ImportError, match=r"import name 'nowhere_to_be_found': expected .* found nothing"):
        sim.check_siblings(("nowhere_to_be_found",), home=tmp_path)


def test_registry_refuses_a_second_owner_and_suggests_the_nearest_name():
    things = Registry("thing", package="sim.topology.formats")
    things.add("hammer")(1)
    with pytest.raises(ValueError, match="the name is taken"):
        things.add("hammer")(2)
    with pytest.raises(UnknownNameError, match="Did you mean 'hammer'"):
        things.get("hamer")


def test_one_broken_file_hides_only_itself(tmp_path, monkeypatch):
    folder = tmp_path / "half_broken"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "good.py").write_text("from half_broken_registry import things\nthings.add('good')(1)\n")
    (folder / "bad.py").write_text("raise RuntimeError('no such luck')\n")
    (tmp_path / "half_broken_registry.py").write_text(
        "from sim.registry import Registry\nthings = Registry('thing', package='half_broken')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import half_broken_registry

    things = half_broken_registry.things
    assert things.names() == ["good"]
    with pytest.raises(UnknownNameError, match="no such luck"):
        things.get("bad")


@pytest.mark.parametrize(
    ("default", "given", "made"), [(1, "7", 7), (1.0, "2", 2.0), (True, "off", False), ("a", 3, "3")]
)
def test_values_take_the_type_of_the_default(default, given, made):
    assert Param("p", default, "Some help").check(given, owner="x") == made


@pytest.mark.parametrize("bad", [float("nan"), "many", None, 0.5, True, 11, -1, "inf", "1e400"])
def test_values_that_do_not_fit_are_refused_with_range_and_value(bad):
    with pytest.raises(ParameterError, match=r"x: parameter 'p' expects a whole number from 0 to 10 \(items\), got "):
        Param("p", 1, "Some help", low=0, high=10, unit="items").check(bad, owner="x")


@pytest.mark.parametrize("bad", ["inf", "-inf", "1e400", float("inf"), "nan", 10**400])
def test_a_number_is_finite_also_where_it_has_no_upper_end(bad):
    for default, name in ((1.0, "a number"), (1, "a whole number")):
        with pytest.raises(ParameterError, match=f"x: parameter 'p' expects {name} of at least -1, got "):
            Param("p", default, "Some help", low=-1.0).check(bad, owner="x")


def test_the_default_install_keeps_to_what_was_decided():
    needed = " ".join(PROJECT["project"]["dependencies"])
    for package in ("mesa", "numpy", "networkx", "litellm", "polars", "solara", "numba", "scipy", "pydantic"):
        assert package in needed, package
    assert "ipyvuetify>=1.11,<2" in needed
    assert "litellm>=1.95,<1.102" in needed
    assert "solara[" not in needed
    for copyleft in ("igraph", "leidenalg", "infomap", "pm4py", "tigramite"):
        assert copyleft not in needed
    assert "exclude-newer" in PROJECT["tool"]["uv"]


def test_installed_litellm_is_none_of_the_malicious_releases():
    from importlib.metadata import version

    assert version("litellm") not in {"1.82.7", "1.82.8"}
    assert tuple(int(p) for p in version("litellm").split(".")[:2]) < (1, 102)


def test_nothing_tracked_names_download_hosts_or_pins_an_interpreter():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    assert tracked
    assert not {"uv.lock", ".python-version"} & set(tracked)
