"""Run: one scenario with parameters and a seed becomes one run folder, whole or absent."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.errors import FolderInTheWay, Interrupted, RunFailed, sentence
from experiments.folder import (
    MANIFEST,
    PAGE,
    REPORT,
    SCHEMA_VERSION,
    TOPOLOGIES,
    TOPOLOGY,
    clear_way,
    is_complete,
    is_run,
    read_manifest,
    staged,
    write_json,
)  # fmt: skip
from experiments.interrupts import Brake, to_the_end, undisturbed
from experiments.memory import peak_memory
from experiments.plan import Plan, engine_of, has_machine_code, plan

if TYPE_CHECKING:
    from agents.llm.settings import Asking
    from experiments.analysis import Analysis, Progress, Settings
    from sim.record.log import Log
    from sim.record.store import EventWriter
    from sim.world.engine import Engine
    from sim.world.interventions import Intervention

OUT = Path("runs")
EVENTS = "events.parquet"
# How attempts end that another attempt at the same run may replace.
UNFINISHED = ("interrupted", "failed")
COMPILING = "compiling the kernel (first run only)"


@dataclass(frozen=True)
class RunResult:
    """A run and where it is.

    Attributes:
        folder: The run folder.
        manifest: What manifest.json says.
        reused: True when an identical finished run was there already.
        analysis: What was found; None for a run that was reused as it stood.
    """

    folder: Path
    manifest: Mapping[str, Any]
    reused: bool = False
    analysis: Analysis | None = None

    @property
    def log(self) -> Log:
        """The run's log; read from the folder when the run was reused."""
        from sim.record.store import read_log

        return read_log(self.folder) if self.analysis is None else self.analysis.log


def run(
    scenario: str,
    *,
    preset: str | None = None,
    changes: Mapping[str, object] | None = None,
    until: float | None = None,
    seed: int = 0,
    mind: str = "rule",
    asking: Asking | None = None,
    log: str = "full",
    out: Path | str = OUT,
    interventions: Sequence[Intervention] = (),
    force: bool = False,
    progress: Progress | None = None,
    detectors: Sequence[str] | None = None,
    alpha: float = 0.05,
) -> RunResult:
    """Run a scenario, analyse its log, and leave a run folder.

    Args:
        scenario: Registered name.
        preset: One of the scenario's presets; its default one when None.
        changes: Parameter values that differ from the preset.
        until: Model time at which the run ends; the scenario's own when None.
        seed: Seed of every draw, any whole number (taken modulo 2^64).
        mind: ``rule`` for the rule of the preset, the name of another rule the scenario takes, ``llm``, or a mixture
            (see ``agents.minds``).
        asking: How language models are asked, where they are.
        log: What the log keeps: ``full``, ``window:START:END``, ``sample:SHARE`` or ``counters``.
        out: Folder that run folders are made in.
        interventions: Changes to the running world.
        force: Replace a different run that is in the way, and run again what is there already. An unfinished attempt at the
            same run is replaced in any case, once the new one has got further.
        progress: Called with (done, total, what) while working.
        detectors: Names of the detectors; all when None.
        alpha: Level of the tests.

    Returns:
        The run; ``reused`` when an identical finished run was there.

    Raises:
        UnknownNameError, ParameterError, UsageProblem: For what was asked wrongly; nothing is written.
        RunFailed: When the world or the analysis failed; the folder then says so.
        Interrupted: At Ctrl-C, or when a budget is used up; the folder holds the events so far.
        OSError: When the folder cannot be written; nothing is left half-written.
    """
    say = progress or (lambda _done, _total, _what: None)
    say(0, 0, f"preparing {scenario}")
    asked = plan(
        scenario,
        preset=preset,
        changes=changes,
        until=until,
        seed=seed,
        mind=mind,
        asking=asking,
        log=log,
        interventions=interventions,
    )
    from experiments.analysis import Settings
    from experiments.fingerprint import log_hash

    settings = Settings(None if detectors is None else tuple(detectors), alpha).checked()
    decides = asked.decides
    seal = log_hash(decides)
    folder = Path(out) / f"{asked.scenario.name}-{asked.seed}-{seal}"
    found = None if force else _finished(folder, seal, settings, say)
    if found is not None:
        return found
    clear_way(folder, force=force or _goes_on(folder, seal, asked))
    manifest = _manifest(asked, seal, decides["code"])
    return _Attempt(asked, folder, manifest, settings, say).make()


def only_log(asked: Plan, log: Log, *, out: Path | str) -> Path:
    """Leave a run folder with the log of a run and no report yet; ``swarmscope detect`` makes one. An identical one stays."""
    from experiments.fingerprint import log_hash
    from sim.record.store import write_log

    decides = asked.decides
    seal = log_hash(decides)
    folder = Path(out) / f"{asked.scenario.name}-{asked.seed}-{seal}"
    if is_complete(folder) and (folder / EVENTS).exists():
        return folder
    clear_way(folder, force=True)
    with staged(folder) as place:
        write_log(log, place)
        manifest = _manifest(asked, seal, decides["code"])
        kept = {"events": log.events.height, "events_kept": log.events.height, "model_time": asked.until}
        write_json(place / MANIFEST, {**manifest, **kept, "cost": log.meta.get("cost"), "status": "complete"})
    return folder


def _finished(folder: Path, seal: str, settings: Settings, say: Progress) -> RunResult | None:
    """The identical finished run, analysed again where it was analysed otherwise; None when there is none."""
    if not is_run(folder):
        return None
    manifest = read_manifest(folder)
    if manifest.get("hash") != seal or manifest.get("status") != "complete":
        return None
    if manifest.get("analysis") == settings.as_dict():
        return RunResult(folder, manifest, reused=True)
    from experiments.detect import detect_again

    made = detect_again(folder, settings=settings, progress=say)
    return RunResult(folder, made.manifest, reused=True, analysis=made.analysis)


def _goes_on(folder: Path, seal: str, asked: Plan) -> bool:
    """Whether an unfinished attempt at this very run may be replaced by another one.

    It may, for the new one gives the same log and more of it; what was asked of a model and is in no cassette would be lost.
    """
    if not is_run(folder):
        return False
    there = read_manifest(folder)
    if there.get("hash") != seal or there.get("status") not in UNFINISHED:
        return False
    paid = int((there.get("asked") or {}).get("calls", 0))
    if asked.asks and asked.asking.cassette is None and paid:
        raise FolderInTheWay(
            f"{folder}: an unfinished attempt at this run is in the way, whose {paid:,} calls are in no cassette; name its "
            "cassette with --cassette FILE, replace it with --force, or choose another --out."
        )
    return True


def _manifest(asked: Plan, seal: str, code: str) -> dict[str, Any]:
    from experiments.fingerprint import versions

    return {
        "schema_version": SCHEMA_VERSION,
        "what": "run",
        "scenario": asked.scenario.name,
        "preset": asked.preset,
        "parameters": dict(asked.values),
        "changed": sorted(asked.changes),
        "seed": asked.seed,
        "mind": asked.mind,
        "rule": asked.rule,
        **({"models": asked.models, "asking": asked.asking.decides()} if asked.asks else {}),
        **({"prompt": asked.decides["prompt"]} if asked.asks else {}),
        "until": asked.until,
        "log": asked.log.words(),
        "interventions": [vars(i) for i in asked.interventions],
        "hash": seal,
        "code": code,
        "versions": versions(),
        "command": asked.command(),
        "status": "failed",
        "error": "",
    }


class _Attempt:
    """One attempt at a run, from the world to the folder."""

    def __init__(self, asked: Plan, folder: Path, manifest: dict[str, Any], settings: Settings, say: Progress) -> None:
        self.asked, self.folder, self.manifest, self.settings, self.say = asked, folder, manifest, settings, say
        self.started = time.perf_counter()
        self.brake = Brake()
        self.explained, self.twins = "", 0

    def make(self) -> RunResult:
        """Run, analyse and write; see ``run`` for what it raises."""
        from sim.record.store import EventWriter

        engine = engine_of(self.asked)
        trouble: BaseException | None = None
        analysis = None
        with ExitStack() as end, staged(self.folder) as place:
            writer = EventWriter(place)
            try:
                self._advance(engine, writer)
                self._audit(engine)
                analysis = self._analyse(engine, writer, place)
                # Until the folder stands, for what would be kept of a report is neither one nor none.
                end.enter_context(to_the_end(f"the run is complete in {self.folder}."))
                self._report(analysis, place)
            except OSError:
                writer.abort()
                raise
            except (KeyboardInterrupt, Exception) as error:
                if self.brake.hard:
                    writer.abort()
                    raise Interrupted("interrupted twice: stopped at once, nothing was kept.") from error
                trouble = error
                self._keep(engine, writer, error, place)
            if trouble is not None and self._worth_more():
                self._spare(trouble)
            if trouble is not None:
                self._measure()
            write_json(place / MANIFEST, self.manifest)
        if is_interruption(trouble):
            raise Interrupted(self._interrupted(engine, trouble)) from trouble
        if trouble is not None:
            raise RunFailed(f"{sentence(trouble)} What there is of the run is in {self.folder}.") from trouble
        return RunResult(self.folder, self.manifest, analysis=analysis)

    def _advance(self, engine: Engine, writer: EventWriter) -> None:
        until = self.asked.until
        if not has_machine_code(engine):
            self.say(0, until, COMPILING)
        with self.brake:
            for reached in engine.slices(until, writer):
                self.say(reached, until, f"running to time {until:g}")
                self.brake.check()

    def _audit(self, engine: Engine) -> None:
        """Ask the models what their prior explains; a convention that it explains is predefined."""
        samples = self.asked.asking.audit
        if not self.asked.asks or samples == 0 or engine.batches is None:
            return
        from experiments.audits import audits

        self.say(self.asked.until, self.asked.until, "auditing prompts")
        made = audits(engine, self.asked, samples=samples)
        self.manifest["audits"] = [one.to_json() for one in made]
        self.explained = " ".join(one.explained for one in made if one.explained)
        self.twins = min((one.twins for one in made), default=0)

    def _analyse(self, engine: Engine, writer: EventWriter, place: Path) -> Analysis:
        from experiments.analysis import Channel, analyse
        from experiments.readable import read_readable

        with undisturbed():
            self._close(engine, writer)
        log = read_readable(place)
        changed = [i.name for i in self.asked.interventions if i.action == "set"]
        channel = Channel.of(self.asked.values, changed=changed)
        return analyse(log, settings=self.settings, channel=channel, progress=self.say)

    def _report(self, analysis: Analysis, place: Path) -> None:
        from experiments.reports import summary, write_report

        self.manifest |= summary(analysis)
        self.manifest["status"] = "complete"
        self._measure()
        write_report(analysis, self.manifest, place)

    def _measure(self) -> None:
        """Time and memory so far; taken before the page is written, which shows them."""
        self.manifest["wall_time_s"] = round(time.perf_counter() - self.started, 3)
        self.manifest["peak_memory_bytes"] = peak_memory()

    def _close(self, engine: Engine, writer: EventWriter) -> None:
        """Write the event table and what the engine knows at this moment."""
        engine.close()
        beside = engine.beside()
        if beside.ledger is not None:
            from agents.llm.ledger import summary

            self.manifest["asked"] = summary(beside.ledger)
        meta = {**beside.meta, "scenario": self.asked.scenario.name, "seed": self.asked.seed}
        if self.asked.log.mode == "full":
            meta["cost"] = engine.cost
        if self.explained:
            meta["predefined_runs"] = {"": {"convention": self.explained}}
        if self.twins:
            meta["twins"] = self.twins
        writer.finish(replace(beside, meta=meta))
        self.manifest["model_time"] = engine.now
        self.manifest["events"] = engine.events
        self.manifest["events_kept"] = writer.rows
        self.manifest["cost"] = engine.cost

    def _keep(self, engine: Engine, writer: EventWriter, error: BaseException, place: Path) -> None:
        """Save what there is of an interrupted or failed run; a report that is not whole is none."""
        for name in (REPORT, PAGE, TOPOLOGY, TOPOLOGIES):
            (place / name).unlink(missing_ok=True)
        interrupted = is_interruption(error)
        self.manifest["status"] = "interrupted" if interrupted else "failed"
        self.manifest["error"] = "" if isinstance(error, KeyboardInterrupt) else sentence(error)
        if not writer.finished:
            engine.drain(writer)
            self._close(engine, writer)
            self.manifest["decisions"] = {}

    def _worth_more(self) -> bool:
        """Whether what is there already is complete, or a longer part of the same run than this attempt has become."""
        if not is_run(self.folder):
            return False
        there = read_manifest(self.folder)
        same = there.get("hash") == self.manifest["hash"] and there.get("status") in UNFINISHED
        reached, now = float(there.get("model_time") or 0.0), float(self.manifest.get("model_time") or 0.0)
        return there.get("status") == "complete" or (same and reached > now)

    def _spare(self, trouble: BaseException) -> None:
        """Keep what was there before: it is worth more than this part of a run."""
        was = "complete run" if is_complete(self.folder) else "longer part of this run"
        kept = f"the {was} that was there before is kept in {self.folder}."
        if is_interruption(trouble):
            why = "interrupted" if isinstance(trouble, KeyboardInterrupt) else sentence(trouble).rstrip(".")
            raise Interrupted(f"{why}; {kept}") from trouble
        raise RunFailed(f"{sentence(trouble)} {kept.capitalize()}") from trouble

    def _interrupted(self, engine: Engine, trouble: BaseException | None) -> str:
        why = "Interrupted" if isinstance(trouble, KeyboardInterrupt) else f"Stopped, for {trouble},"
        return (
            f"{why} at model time {engine.now:g} of {self.asked.until:g}; the {engine.events:,} events so far are "
            f"in {self.folder}, without a report. Make it with: swarmscope detect {shlex.quote(str(self.folder))}"
            f"{self._go_on()}"
        )

    def _go_on(self) -> str:
        """What to type to go on, for a run that asks models. A budget is one attempt's: the same again gets further."""
        if not self.asked.asks:
            return ""
        if self.asked.asking.cassette is None:
            return (
                "\nIts replies are in no cassette: another attempt asks everything again (--cassette FILE keeps them)."
            )
        out = "" if self.folder.parent == OUT else f" --out {shlex.quote(str(self.folder.parent))}"
        return f"\nGo on from its cassette with: {self.asked.command()}{out}"


def is_interruption(trouble: BaseException | None) -> bool:
    """True when a run was stopped, by Ctrl-C or by its budget, and did not break."""
    from agents.llm.budget import BudgetReached

    return isinstance(trouble, KeyboardInterrupt | BudgetReached)
