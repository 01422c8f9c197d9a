"""Delivery -> SendOutcome: each send in a process that can be killed, one at a time for each target.

    delivery -> lane of its target (rate, circuit breaker) -> worker process -> plugin -> outcome
                                                              killed at the limit -> unknown

A target that drips a byte a second holds one worker until it is killed, and after a few such sends its circuit is open:
what is meant for it goes back to the outbox at once, and the others' messages pass.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as KilledAtLimit
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pebble import ProcessExpired, ProcessPool

from alerts.config import Address
from alerts.render import Message, render
from watchfloor import logs
from watchfloor.model import Alert, Delivery, SendOutcome
from watchfloor.ports import Target

if TYPE_CHECKING:  # Apprise takes a quarter of a second to import: not before something is sent
    from alerts.plugins import Plugin

ATTEMPT = timedelta(seconds=60)  # a large mail over a slow line ends well before; a dripping server never does
PATIENCE = timedelta(seconds=60)  # for the target's turn and a free worker, on top of that
WORKERS = 4  # so that two hanging targets leave two for the others
BREAKS_AFTER = 3  # failures in a row; one that had to be killed is enough, as it holds a worker for a minute
BREAKS_FOR = timedelta(minutes=2)  # for so long a broken circuit sends nothing


@dataclass(slots=True)
class Lane:
    """One target's way out: whose turn it is, when the last message went, and whether the circuit is open."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    apart: float = 0.0  # seconds between two messages
    breaks_for: float = BREAKS_FOR.total_seconds()
    free_at: float = 0.0  # monotonic
    failures: int = 0
    open_until: float = 0.0

    def note(self, outcome: SendOutcome, now: float, *, hung: bool) -> None:
        """Count failures of the target; a refusal is about the message and is none."""
        self.failures = self.failures + 1 if outcome.result in ("retry", "unknown") else 0
        wait = outcome.retry_after.total_seconds() if outcome.retry_after else 0.0
        broken = self.breaks_for if hung or self.failures >= BREAKS_AFTER else 0.0
        self.open_until = now + max(wait, broken)


class AppriseSender:
    """Sends through Apprise; fills `watchfloor.ports.Sender`. A context manager: its processes end with it."""

    def __init__(
        self,
        addresses: Sequence[Address],
        *,
        zone: ZoneInfo | None = None,
        desk: str | None = None,
        templates: Path | None = None,
        names: Callable[[], Mapping[str, str]] = dict,  # asked when something is sent
        attempt: timedelta = ATTEMPT,
        patience: timedelta = PATIENCE,
        apart: float | None = None,  # seconds between two messages to a target; None: each target's own
        breaks_for: timedelta = BREAKS_FOR,
        webhooks: str | None = None,  # where Slack's are; a test has its own
    ) -> None:
        self._addresses = tuple(addresses)
        self._render: Callable[[Alert, Path | None], Message] = lambda alert, folder: render(
            alert, zone or ZoneInfo("UTC"), desk=desk, templates=folder, names=names()
        )
        self._templates, self._webhooks = templates, webhooks
        self._attempt, self._patience = attempt.total_seconds(), patience.total_seconds()
        self._lanes = {
            one.target.id: Lane(apart=one.apart if apart is None else apart, breaks_for=breaks_for.total_seconds())
            for one in self._addresses
        }
        self._workers = max(1, min(WORKERS, len(self._addresses)))
        self._free = threading.BoundedSemaphore(self._workers)
        self._pool: ProcessPool | None = None
        self._opening = threading.Lock()

    def __enter__(self) -> AppriseSender:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]  # pebble's is
            self._pool.join()

    @property
    def targets(self) -> Sequence[Target]:
        """All that can be sent to."""
        return tuple(address.target for address in self._addresses)

    @property
    def hard_limit(self) -> timedelta:
        """The longest that `send` takes, its waiting counted."""
        return timedelta(seconds=self._attempt + self._patience + 5)  # pebble looks at its clocks now and then

    def send(self, delivery: Delivery) -> SendOutcome:
        """Try once; may be called from several threads. Never raises for what the target or a template does."""
        lane = self._lanes.get(delivery.target)
        if lane is None:
            return SendOutcome("retry", "this target is not in the alerts file now")
        try:
            message = self._write(delivery.alert)
        except Exception as error:  # a fault of our own on one message must not hold up those behind it
            logs.warn("a message cannot be written", trace=error, target=delivery.target)
            return SendOutcome("retry", f"the message cannot be written ({type(error).__name__})")
        with _within(self._patience, lane.turn, self._free) as ours:
            if not ours:
                return SendOutcome("retry", "the target is busy with other messages")
            if (left := lane.open_until - time.monotonic()) > 0:
                return SendOutcome("retry", "the target keeps failing and is left in peace", timedelta(seconds=left))
            time.sleep(max(0.0, lane.free_at - time.monotonic()))
            began = time.monotonic()
            outcome = self._send_in_worker(delivery, message)
            ended = time.monotonic()
            lane.free_at = ended + lane.apart
            hung = outcome.result == "unknown" and ended - began >= self._attempt
            lane.note(outcome, ended, hung=hung)
            return outcome

    def _write(self, alert: Alert) -> Message:
        """The message; by our own templates where the user's fail on this one alert, as it is not to be lost."""
        if self._templates:
            try:
                return self._render(alert, self._templates)
            except Exception as error:
                logs.warn("a template failed", trace=error, detail=f"{alert.kind}; ours was taken")
        return self._render(alert, None)

    def _send_in_worker(self, delivery: Delivery, message: Message) -> SendOutcome:
        args = (delivery.target, message, delivery.message_id, delivery.refers_to)
        try:
            outcome: SendOutcome = self._running().schedule(_deliver, args=args, timeout=self._attempt).result()
        except KilledAtLimit:
            return SendOutcome("unknown", f"no end after {self._attempt:g} s: stopped")
        except ProcessExpired:
            return SendOutcome("unknown", "the sending process died")
        except Exception as error:  # a fault of a plugin is one target's failure; its words may hold a secret
            return SendOutcome("retry", f"sending failed ({type(error).__name__})")
        return outcome

    def _running(self) -> ProcessPool:
        with self._opening:
            if self._pool is None:
                # Not fork: the caller has threads.
                urls = {address.target.id: (address.url, address.secrets) for address in self._addresses}
                self._pool = ProcessPool(
                    max_workers=self._workers,
                    initializer=_prepare,
                    initargs=(urls, self._webhooks),
                    context=multiprocessing.get_context("spawn"),
                )
            return self._pool


@contextmanager
def _within(seconds: float, *locks: threading.Lock | threading.BoundedSemaphore) -> Iterator[bool]:
    """Take all locks in order within a time; False if that does not work out."""
    until = time.monotonic() + seconds
    taken: list[threading.Lock | threading.BoundedSemaphore] = []
    try:
        for lock in locks:
            if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                break
            taken.append(lock)
        yield len(taken) == len(locks)
    finally:
        for lock in reversed(taken):
            lock.release()


# -- in the worker ----------------------------------------------------------------------------------------------------

_urls: dict[str, tuple[str, tuple[str, ...]]] = {}  # with the secrets in them
_loaded: dict[str, Plugin] = {}


def _prepare(urls: Mapping[str, tuple[str, tuple[str, ...]]], webhooks: str | None) -> None:
    from alerts import plugins

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ends it at once, as in `watchfloor.parsers`
    plugins.Slack.webhook_url = webhooks or plugins.Slack.webhook_url
    plugins.quieten()
    _urls.update(urls)


def _deliver(target: str, message: Message, message_id: str, refers_to: str | None) -> SendOutcome:
    from alerts import plugins

    url, secrets = _urls[target]
    if target not in _loaded:
        plugin = plugins.load(url)
        if plugin is None:
            return SendOutcome("retry", "Apprise cannot read this target's URL")
        _loaded[target] = plugins.own(plugin)
    outcome = _loaded[target].deliver(message, message_id, refers_to)
    return replace(outcome, detail=logs.hide(outcome.detail, secrets))  # a server may say back what it was told
