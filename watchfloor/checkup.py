"""What is wrong with a watch floor, and what to do about it: facts -> Findings. Pure; `watchfloor doctor` gathers them.

settings, files, this machine ─┐
the archive ───────────────────┼─> Findings, the gravest first
the network, unless --offline ─┘
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Literal

from watchfloor.model import FeedState, Source
from watchfloor.rhythm import in_words

State = Literal["missing", "unreachable", "older", "newer", "damaged", "locked", "ready"]

EXPAT = (2, 4, 1)  # the first that stops entities which multiply by themselves
LEAST_SHARE, LEAST_BYTES = 0.05, 1 << 30  # of a disk: below both, months of watching end soon
CLOCK_MAY_BE_OFF = timedelta(minutes=2)  # more shifts what is due, quiet hours, and what counts as new
QUEUE_MAY_WAIT = timedelta(hours=2)  # a cycle finishes what is due within minutes
CYCLES_MISSED = 3
QUIET_AT_LEAST = timedelta(hours=1)  # a desk that looks each minute may sleep so long before somebody is told
QUIET_BY_DEFAULT = timedelta(hours=3)  # where no habit is known yet

REMEDIES: Mapping[State, str] = {
    "missing": "`watchfloor run` makes it; if there should be one, check WATCHFLOOR_DATABASE_URL",
    "unreachable": "check WATCHFLOOR_DATABASE_URL, and that the file may be read or the server runs",
    "older": "`watchfloor db upgrade` brings it to this version; so does the next `run`",
    "newer": "install the version of Watchfloor that made it, or a newer one",
    "damaged": "stop all that writes, and restore the last `watchfloor db backup`, or pg_dump",
    "locked": "find who holds it (a stopped process, a database browser, a backup) and end that",
}
HEALTH_REMEDIES: Mapping[str, str] = {
    "failing": "`watchfloor sources check {id}` asks it now and says more",
    "gone": "give it another url in sources.yaml, or take it out",
    "not-a-feed": "`watchfloor sources check {id}` looks whether its page names the feed",
    "silent": "look at its site; if it moved, change its url in sources.yaml",
    "undated": "nothing need be done: what is new is told by first sight; a feed with dates is better",
    "churning": "nothing need be done: its items are told apart by their links",
}
BLIND = "it is asked for in full each time; nothing need be done, its publisher should know"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's. `remedy`: what to do, empty where nothing is wrong."""

    about: str
    words: str
    wrong: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """What is due at a stage, and since when."""

    stage: str
    waiting: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """Deliveries to one target: tried in vain and waiting, given up, not even tried for an hour; its last words."""

    refusing: int
    dead: int
    late: int
    said: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """An archive as it was found. All but `state` and `words` are known of one that is ready only.

    `cycles`: when the last ones ended, newest first. `deliveries`: how many are in each state.
    """

    state: State
    words: str = ""
    sources: tuple[tuple[Source, FeedState], ...] = ()
    cycles: tuple[datetime, ...] = ()
    queues: tuple[Queue, ...] = ()
    deliveries: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, TargetFacts] = field(default_factory=dict)


def wrong(about: str, words: str, remedy: str) -> Finding:
    """A finding that somebody should do something about."""
    return Finding(about, words, wrong=True, remedy=remedy)


def in_order(findings: Collection[Finding]) -> list[Finding]:
    """What is wrong first, else as found."""
    return sorted(findings, key=lambda finding: not finding.wrong)


def _median(spans: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(span.total_seconds() for span in spans)) if spans else timedelta(0)


# -- this machine -----------------------------------------------------------------------------------------------------


def of_expat(version: tuple[int, ...]) -> Finding:
    """Whether the XML parser beneath feedparser stops bombs."""
    number = ".".join(map(str, version))
    if version < EXPAT:
        remedy = "install a Python that is built with expat 2.4.1 or newer"
        return wrong("expat", f"{number} lets documents multiply by themselves", remedy)
    return Finding("expat", f"{number} stops documents that multiply by themselves")


def of_disk(where: str, free: int, total: int) -> Finding:
    """Whether the archive has room to grow. Sizes in bytes."""
    words = f"{free / 1e9:.1f} GB of {total / 1e9:.1f} GB are free at {where}"
    if free < LEAST_SHARE * total or free < min(LEAST_BYTES, total / 2):
        return wrong("disk", words, "make room, or lower WATCHFLOOR_KEEP_RAW_DAYS and run `watchfloor db prune`")
    return Finding("disk", words)


def of_extras(installed: Mapping[str, bool], needed: Mapping[str, str]) -> Iterator[Finding]:
    """Which extras are there; `needed`: those that a setting asks for, with its name."""
    for extra, why in needed.items():
        if not installed[extra]:
            yield wrong("extras", f"{why} needs the extra {extra}", f"pip install 'watchfloor[{extra}]'")
    there = [name for name, is_there in installed.items() if is_there]
    yield Finding("extras", f"installed: {', '.join(there) or 'none'}")


def of_open_files(paths: Collection[str]) -> Iterator[Finding]:
    """Files with secrets that more people than their owner can read."""
    for path in paths:
        yield wrong("secrets", f"{path} can be read by other users of this machine", f"chmod 600 {path}")


def of_contact(contact: str | None) -> Finding:
    """Whether a publisher can complain before he blocks us."""
    if contact:
        return Finding("contact", f"publishers find {contact} in each request")
    return wrong(
        "contact", "publishers cannot reach you, and may block what they do not know", "set WATCHFLOOR_CONTACT"
    )


# -- the archive ------------------------------------------------------------------------------------------------------


def of_archive(facts: ArchiveFacts, now: datetime) -> Iterator[Finding]:
    """All that the archive tells."""
    if facts.state != "ready":
        yield wrong("archive", f"{facts.state}: {facts.words}", REMEDIES[facts.state])
        return
    yield Finding("archive", f"sound, with {len(facts.sources)} sources")
    yield of_cycles(facts.cycles, now)
    yield from of_queues(facts.queues, now)
    yield from of_targets(facts.targets, facts.deliveries)
    yield from of_sources(facts.sources)


def of_cycles(ended: Sequence[datetime], now: datetime) -> Finding:
    """Whether cycles still end well, by this desk's own habit."""
    remedy = "start `watchfloor serve`, or look why cron does not run `watchfloor run`"
    if not ended:
        return wrong("cycles", "none has ended well yet", remedy)
    quiet = now - ended[0]
    habit = _median([newer - older for newer, older in pairwise(ended)]) or QUIET_BY_DEFAULT
    words = f"the last one ended {in_words(quiet)} ago"
    if quiet > max(CYCLES_MISSED * habit, QUIET_AT_LEAST):
        return wrong("cycles", f"{words}; they used to be {in_words(habit)} apart", remedy)
    return Finding("cycles", words)


def of_queues(queues: Sequence[Queue], now: datetime) -> Iterator[Finding]:
    """Whether work piles up."""
    for queue in queues:
        if now - queue.oldest > QUEUE_MAY_WAIT:
            words = (
                f"{queue.waiting} articles wait to be {WORK[queue.stage]}, the first for {in_words(now - queue.oldest)}"
            )
            yield wrong("queue", words, "look whether cycles end (above); more WATCHFLOOR_WORKERS read more pages")
    if not queues:
        yield Finding("queue", "nothing waits")


WORK = {"collect": "read", "judge": "judged", "sum up": "summed up"}


def of_targets(targets: Mapping[str, TargetFacts], deliveries: Mapping[str, int]) -> Iterator[Finding]:
    """Whether messages arrive."""
    for name, target in targets.items():
        said = f": {target.said}" if target.said else ""
        if target.dead:
            remedy = "mend the target, then `watchfloor alerts retry`; `watchfloor alerts test` tries it"
            yield wrong("deliveries", f"{target.dead} to {name} were given up{said}", remedy)
        if target.refusing:
            words = f"{name} refuses or does not answer, {target.refusing} messages wait{said}"
            yield wrong("targets", words, "`watchfloor alerts test` tries it and says more")
        if target.late:
            words = f"{target.late} messages to {name} wait for longer than an hour"
            yield wrong(
                "deliveries", words, "look whether cycles end, and whether the target is still in the alerts file"
            )
    if unknown := deliveries.get("unknown", 0):
        remedy = "ask the recipients; `watchfloor alerts retry ID` sends one again"
        yield wrong("deliveries", f"of {unknown} nobody knows whether they arrived", remedy)
    if sent := deliveries.get("sent", 0):
        yield Finding("deliveries", f"{sent} were sent")


def of_sources(sources: Sequence[tuple[Source, FeedState]]) -> Iterator[Finding]:
    """The sources that do not do well, each with what is wrong."""
    sick = 0
    for source, state in sources:
        if remedy := HEALTH_REMEDIES.get(state.health):
            words = f"{source.name}: {state.health}: {state.message or 'no more is known'}"
            yield wrong("source", words, remedy.format(id=source.id))
        elif state.last_unconditional is None and state.last_answer is not None:
            yield wrong("source", f"{source.name}: {state.message or 'it said 304 although its items changed'}", BLIND)
        else:
            continue
        sick += 1
    yield Finding("sources", f"{len(sources) - sick} of {len(sources)} do well")


# -- Prefect ----------------------------------------------------------------------------------------------------------


def of_scheduler(address: str, *, answers: bool, named: bool, served: bool) -> Finding:
    """Whether Prefect's server is there for those who use it: who named it by PREFECT_API_URL, or a running `serve`."""
    if answers:
        return Finding("prefect", f"its server answers at {address}")
    if named:
        remedy = "start it there, or take PREFECT_API_URL away: `watchfloor serve` then starts one of its own"
        return wrong("prefect", f"no server answers at {address}, which PREFECT_API_URL names", remedy)
    if served:
        remedy = "`serve` starts it again by itself; if it does not, data/prefect/server.log says why"
        return wrong("prefect", f"`watchfloor serve` runs, and no server answers at {address}", remedy)
    return Finding("prefect", "no server runs here, and none is needed without `watchfloor serve`")


# -- the network ------------------------------------------------------------------------------------------------------


def of_answers(asked: int, failures: Sequence[str]) -> Finding:
    """Whether there is a network. `failures`: in words."""
    if asked and len(failures) == asked:
        remedy = "check the network of this machine, and WATCHFLOOR_PROXY if it needs one"
        return wrong("network", f"none of {asked} sources answers: {failures[0]}", remedy)
    return Finding("network", f"{asked - len(failures)} of {asked} sources that were asked answer")


def of_clock(offsets: Sequence[timedelta]) -> Finding:
    """Whether this clock agrees with the servers'. `offsets`: theirs less ours."""
    if not offsets:
        return Finding("clock", "nobody told the time")
    off = _median(offsets)
    words = f"{abs(off).total_seconds():.0f} s {'behind' if off > timedelta(0) else 'ahead of'} {len(offsets)} servers"
    if abs(off) > CLOCK_MAY_BE_OFF:
        return wrong(
            "clock", f"the clock of this machine is {words}", "set it, and keep it by NTP (timedatectl set-ntp true)"
        )
    return Finding("clock", words)
