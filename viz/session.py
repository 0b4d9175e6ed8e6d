"""A session: everything that one browser tab looks at and steers, apart from how it is drawn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import solara

from experiments.errors import sentence
from experiments.plan import Plan, plan
from sim.record.log import Log
from sim.spec import Scenario, scenarios
from sim.world.interventions import Intervention
from viz.analyst import MOST_EVENTS, Analyst, Found
from viz.axis import horizon
from viz.links import Choice, with_value
from viz.live import LiveRun, Moment
from viz.scene import MOST_MET, Scene, Stage, joined, met, scene, stage
from viz.tape import Tape, tape_of

FIRST = "factory"
FRAME = 0.1  # seconds between two pictures
BEAT = 0.6  # seconds between two looks at the whole log
AGAIN = 6.0  # seconds at least between two searches for structures
LEAST_EVENTS = 500  # events before the first search
analyst = Analyst()


class Session:
    """One tab's scenario, run, cursor in time, and findings; panels read the reactive parts and call the methods.

    Attributes:
        choice: Scenario, preset, seed and changed parameters, as the controls show them.
        frame: Counts pictures, at most ten in a second while time moves: panels that read it are drawn anew with each.
        halt: Counts moments at which time stood still: the numbers of the run say so before the last picture is drawn.
        world: Counts what is looked at: another run, another log, and when a run's world is built.
        beat: Counts slower, for panels that read the whole log.
        cursor: The earlier moment that is looked at; None for the present.
        found: What the last search found.
        searching: True while a search is under way.
        chosen: Id of the chosen structure, or None.
        hovered: Id of the structure that the pointer is on, or None.
        agent: Number of the chosen agent, or -1.
        speed: Model time per second of the clock; infinite for as fast as it goes.
        every: Every so-manieth frame of the run is drawn.
        trouble: What could not be done, as a sentence; usually empty.
        parent: What this run resumes, as a sentence; usually empty.
        playing: True while time moves.
        theme: ``light`` or ``dark``; empty until the browser has told which it prefers.
        part: Which part that opens over the page is open: ``gallery``, ``help`` or none.
        copied: What the browser is to copy, with a number before it (see ``viz.widgets.keys``).
        pictures: Pictures in a second that were asked for lately.
        file: What the browser is to save (see ``viz.widgets.keys``), and its bytes.
        edition: Counts changes of the choice that did not come from an entry of the page (see ``viz.entries``).
        apology: What could not be done before the page was there.
        run: The live world, or None when a stored log is looked at.
        stored: The stored log that is looked at, or None.
        title: Name of what is looked at.
        command: The command that shows the stored log again; empty for a run, whose plan knows its own.
    """

    def __init__(self, choice: Choice | None = None) -> None:
        """Nothing runs yet; ``start`` makes the world."""
        first = choice or Choice(FIRST, scenarios.get(FIRST).default)
        self.choice = solara.reactive(first)
        self.frame = solara.reactive(0)
        self.halt = solara.reactive(0)
        self.beat = solara.reactive(0)
        self.world = solara.reactive(0)
        self.cursor: solara.Reactive[float | None] = solara.reactive(None)
        self.found: solara.Reactive[Found | None] = solara.reactive(None)
        self.searching = solara.reactive(False)
        self.chosen: solara.Reactive[str | None] = solara.reactive(None)
        self.hovered: solara.Reactive[str | None] = solara.reactive(None)
        self.agent: solara.Reactive[int] = solara.reactive(-1)
        self.speed = solara.reactive(30.0)
        self.every = solara.reactive(1)
        self.trouble = solara.reactive("")
        self.parent = solara.reactive("")
        self.playing = solara.reactive(False)
        self.theme = solara.reactive("")
        self.part = solara.reactive("")
        self.copied = solara.reactive("")
        self.file: solara.Reactive[tuple[str, bytes]] = solara.reactive(("", b""))
        self._handed = 0
        self.edition = solara.reactive(0)
        self.apology = ""
        self.pictures = 0.0
        self.run: LiveRun | None = None
        self.stored: Log | None = None
        self.title = first.scenario
        self.command = ""
        self._tape: Tape | None = None
        self._stage: Stage | None = None
        self._built: LiveRun | None = None
        self._shown, self._next, self._beaten, self._asked, self._count, self._took = 0.0, 0.0, 0.0, 0.0, 0, 0.0
        self._met: tuple[int, float | None, int] | None = None
        self._drawn: tuple[float, int] | None = None
        self._lock = threading.Lock()

    # What runs ------------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> Scenario:
        """The scenario as data."""
        return scenarios.get(self.choice.value.scenario)

    def plan(self) -> Plan:
        """The run that the controls describe; ParameterError for values that cannot be."""
        c = self.choice.value
        return plan(c.scenario, preset=c.preset, changes=c.changes, seed=c.seed)

    def choose(self, choice: Choice, *, play: bool = True) -> None:
        """Take another scenario, preset, seed or parameters, and start."""
        self.choice.value = choice
        self.edition.value += 1
        self.start(play=play)

    def start(self, *, play: bool = True) -> None:
        """Make the world that the controls describe; what ran before ends. Parameters and seed stay."""
        self.parent.value = ""
        self._begin(self.plan, play=play)

    def reset(self) -> None:
        """Begin again at time 0 with the same parameters and seed; time goes on moving if it did."""
        self.start(play=self.run is not None and self.playing.value)

    def resume(self, at: float) -> None:
        """Begin a new run that repeats this one up to ``at``, acts included, and can go another way from there.

        The controls then show what the new world has: an act after ``at`` is undone in them as well.
        """
        run = self.run
        if run is None:
            return
        acts, before = tuple(a for a in self.acts if a.time <= at), run.plan
        had = Choice(before.scenario.name, before.preset, before.seed, before.changes)
        base = before.scenario.values(before.preset)
        for act in acts:
            if act.action == "set":
                had = with_value(had, act.name, act.value, base=base)
        self.choice.value = had
        self.edition.value += 1
        self._begin(lambda: replace(before, interventions=acts), upto=at)
        if self.run is not None:
            by_hand = f", with {len(acts)} {'act' if len(acts) == 1 else 'acts'} by hand" if acts else ""
            self.parent.value = f"Resumed at time {at:.4g}{by_hand}, from: {before.command()}"

    def _begin(self, make: Callable[[], Plan], *, play: bool = False, upto: float = 0.0) -> None:
        self.close()
        self._forget()
        try:
            made = make()
        except Exception as error:
            self.trouble.value = sentence(error)
            return
        self.title = made.scenario.name
        self.run = LiveRun(made, speed=self.speed.value, changed=self._tick)
        self._tape = self.run.tape
        if upto > 0:
            self.run.step(upto)
        elif play:
            self.run.play()
        self.playing.value = play and upto <= 0
        self.world.value += 1
        self.frame.value += 1

    def open(self, log: Log, *, name: str, command: str = "") -> None:
        """Look at a log that is there already instead of a running world; ``command`` shows it again."""
        self.close()
        self._forget()
        self.stored, self.title, self.command = log, name, command
        self._tape = tape_of(log.events)
        self.world.value += 1
        self.search()
        self.frame.value += 1
        self.beat.value += 1

    def _forget(self) -> None:
        self.trouble.value, self.found.value, self.cursor.value = "", None, None
        self.chosen.value, self.hovered.value, self.agent.value = None, None, -1
        self.searching.value = False
        self.command = ""
        self._stage, self.stored, self._tape, self._met, self._drawn = None, None, None, None, None
        self._asked, self._took = time.monotonic() - AGAIN + 1.5, 0.0

    def close(self) -> None:
        """End the world of this session."""
        run, self.run, self._built = self.run, None, None
        if run is not None:
            run.close()

    # Time -----------------------------------------------------------------------------------------------------------

    @property
    def moment(self) -> Moment:
        """Where the run is."""
        if self.run is not None:
            return self.run.moment
        end = self.stored.span[1] if self.stored is not None else 0.0
        events = self.stored.events if self.stored is not None else None
        cost = float(events["cost"].sum() or 0.0) if events is not None and "cost" in events.columns else 0.0
        return Moment(end, end, 0 if events is None else events.height, cost, playing=False, rate=0.0)

    @property
    def now(self) -> float:
        """The moment that is shown: the cursor, or the present."""
        return self.moment.now if self.cursor.value is None else self.cursor.value

    @property
    def so_far(self) -> tuple[int, float]:
        """Events, and their cost, up to the moment that is shown."""
        moment, tape, cursor = self.moment, self._tape, self.cursor.value
        if cursor is None or tape is None:
            return moment.events, moment.cost
        rows, cost = tape.after(cursor)
        return max(moment.events - rows, 0), max(moment.cost - cost, 0.0)

    @property
    def horizon(self) -> float:
        """Where the time axis of all pictures ends."""
        return horizon(self.moment.now, self.moment.until)

    def toggle(self) -> None:
        """Play or pause."""
        if self.run is not None:
            plays = self.run.moment.playing
            (self.run.pause if plays else self.run.play)()
            self.playing.value = not plays
            self.cursor.value = None

    def step(self, amount: float = 1.0) -> None:
        """Move time by ``amount`` and pause."""
        if self.run is not None:
            self.run.step(amount)
            self.playing.value = False
            self.cursor.value = None

    def set_speed(self, speed: float) -> None:
        """Model time per second of the clock."""
        self.speed.value = speed
        if self.run is not None:
            self.run.speed = speed

    def scrub(self, moment: float | None) -> None:
        """Look at an earlier moment; None for the present. The world pauses while the past is looked at."""
        if moment is not None and self.run is not None:
            self.run.pause()
            self.playing.value = False
        if moment is not None and moment >= self.moment.now:
            moment = None
        self.cursor.value = moment
        self.frame.value += 1

    def _tick(self) -> None:
        """A frame of the run's thread: show every so-manieth, at most ten in a second, and search now and then."""
        now, run = time.monotonic(), self.run
        if run is None or threading.current_thread() is not run.thread:
            return
        self._count += 1
        if self._built is not run and (run.engine is not None or run.moment.error):
            self._built = run
            self.world.value += 1
        stopped = not run.moment.playing
        if run.moment.playing != self.playing.value and run.settled:
            self.playing.value = run.moment.playing
        due = self._count % max(1, self.every.value) == 0 and now >= self._next - FRAME / 20
        if stopped:
            self.halt.value += 1
            due = self._drawn != (run.moment.now, run.moment.events)
        if due:
            self._drawn = (run.moment.now, run.moment.events)
            passed, self._shown = now - self._shown, now
            # Pictures are due at fixed times: one that was late is no reason for the next to be.
            self._next = max(self._next + FRAME, now + FRAME / 2)
            self.pictures += 0.2 * (1 / max(passed, 0.01) - self.pictures)
            self.frame.value += 1
        if stopped or now - self._beaten >= BEAT:
            self._beaten = now
            self.beat.value += 1
        if now - self._asked >= max(AGAIN, 2 * self._took) or (stopped and run.moment.events > self._looked):
            if run.moment.events >= LEAST_EVENTS:
                self.search()

    # What was found -------------------------------------------------------------------------------------------------

    def log(self, *, most: int | None = None) -> Log | None:
        """The log so far, or its last ``most`` events."""
        return self.run.log(most=most) if self.run is not None else self.stored

    @property
    def tape(self) -> Tape | None:
        """The events so far; None before there is anything."""
        return self._tape

    @property
    def acts(self) -> list[Intervention]:
        """What was done to this world by hand, in the order of time."""
        return [] if self.run is None else sorted((*self.run.plan.interventions, *self.run.acts), key=lambda a: a.time)

    @property
    def _looked(self) -> int:
        return self.found.value.total if self.found.value is not None else 0

    def search(self) -> None:
        """Look for structures in the log so far, unless a search is under way."""
        with self._lock:
            log = None if self.searching.value else self.log(most=MOST_EVENTS)
            if log is None or log.events.height == 0:
                return
            self.searching.value = True
            self._asked = time.monotonic()
        tape, total = self._tape, self.moment.events
        # A thread of this tab: what it sets belongs to this tab.
        threading.Thread(target=self._await, args=(log, tape, total), daemon=True, name="search").start()

    def _await(self, log: Log, tape: Tape | None, total: int) -> None:
        began = time.monotonic()
        found = analyst.look(log, total=total)
        if self._tape is not tape:  # another world has taken its place meanwhile
            return
        self._took = time.monotonic() - began
        self.searching.value = False
        self._asked = time.monotonic()
        self.found.value = found
        if self.run is not None and not self.run.moment.playing and self.run.moment.events > found.total:
            self.search()

    # What is seen ---------------------------------------------------------------------------------------------------

    def stage(self) -> Stage | None:
        """Agents, places and links; None before there is anything. Newcomers join it, and nobody moves for them."""
        engine = self.run.engine if self.run is not None else None
        if self.run is not None and engine is None:
            return None
        if self._stage is None:
            log = self.log()
            self._stage = None if log is None else stage(log)
        elif engine is not None and len(engine.world.agents) > self._stage.n:
            self._stage = joined(self._stage, engine.beside())
        at = self._stage
        if at is not None and engine is not None and engine.built.contacts is None and self._tape is not None:
            moment = (self.beat.peek(), self.cursor.peek(), at.n)
            if moment != self._met and at.side == 0:
                self._met = moment
                self._stage = met(at, self._tape.between(-1.0, self.now, most=MOST_MET))
        return self._stage

    def scene(self) -> Scene | None:
        """What moves at the moment that is shown; None before there is anything."""
        at, tape = self.stage(), self._tape
        return None if at is None or tape is None else scene(tape, at, end=self.now)

    # Words to and from the browser ----------------------------------------------------------------------------------

    def find(self, name: str) -> bool:
        """Choose the agent with an id; False where there is none."""
        at, wanted = self.stage(), name.strip()
        if not wanted:
            self.agent.value, self.trouble.value = -1, ""
            return True

        def found() -> None:
            if at is None or wanted not in at.number:
                many = 0 if at is None else at.n
                raise ValueError(f"agent: expected the id of one of the {many:,} agents, got '{wanted[:40]}'.")
            self.agent.value = at.number[wanted]

        return self.attempt(found)

    def copy(self, text: str) -> None:
        """Put text on the clipboard of the browser."""
        count = int(self.copied.value.split("\n", 1)[0] or 0) + 1
        self.copied.value = f"{count}\n{text}"

    def hand(self, name: str, kind: str, data: bytes) -> None:
        """Hand a file to the browser, which saves it under ``name``; ``kind`` is its MIME type."""
        safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
        self._handed += 1
        self.file.value = (f"{self._handed}\n{safe}\n{kind}", data)

    def attempt(self, act: Callable[[], None]) -> bool:
        """Do something that may be refused; the reason is then shown in the page, and False is returned."""
        try:
            act()
        except Exception as error:
            self.trouble.value = sentence(error)
            return False
        self.trouble.value = ""
        return True
