"""The outbox against real servers: nothing lost, the good ones once, repeats under the same Message-ID only.

What takes long runs with `make armour` (WATCHFLOOR_ARMOUR=all); `make test` runs the same in small.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from alerts.send import AppriseSender
from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.sending import NOON, RECIPIENTS, SHORT, Clock, addresses, alert, deliver_all, fill
from tests.smtp import Mailbox, SlackRoom, free_port, post_office, slack_room
from watchfloor.alerting import message_id
from watchfloor.model import Delivery

SOAK = os.environ.get("WATCHFLOOR_ARMOUR") == "all"
ROOT = Path(__file__).resolve().parent.parent
FAULTS = ("451", "550", "cut", "silent", "drip")
ALERTS = 1_000 if SOAK else 10
KILLS, ROUNDS = (40, 5) if SOAK else (2, 1)  # in rounds of some minutes
DEATHS = 99 if SOAK else 3
EXIM_EVERY, EXIM_SILENT_EVERY = (20, 100) if SOAK else (6, 1_000)
EXIM_LIMIT = timedelta(seconds=15)  # for one attempt: a machine under load must not make it silent
FAULTS_EVERY = 20 if SOAK else 2  # one message in so many meets a fault at the moody one's server


@pytest.fixture(autouse=True)
def in_small(request: pytest.FixtureRequest) -> None:
    """`make test` runs the long ones on SQLite only; the contract of the outbox is tested on both elsewhere."""
    if not SOAK and "postgresql" in request.node.name and "slack" not in request.node.name:
        pytest.skip("on PostgreSQL with make armour")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with post_office() as opened:
        yield opened


def ids_of(box: Mailbox, name: str) -> Counter[str]:
    """How often each Message-ID arrived at a recipient."""
    return Counter(str(mail["Message-ID"]) for mail in box.mails if str(mail["To"]).startswith(f"{name}@"))


def expected(count: int, target: str) -> set[str]:
    return {f"<{message_id(alert(number, ()).key, target)}>" for number in range(1, count + 1)}


def deliveries(archive: SqlArchive) -> list[Delivery]:
    return list(archive.list_deliveries(limit=9_999))


# -- real servers, one recipient refused at times ---------------------------------------------------------------------


def test_nothing_is_lost_and_who_is_well_gets_each_once(archive: SqlArchive, box: Mailbox) -> None:
    targets = dict(zip(RECIPIENTS, addresses(box.port), strict=True))
    box.faults_of("moody", FAULTS, every=FAULTS_EVERY)
    fill(archive, ALERTS, list(targets.values()))
    clock = Clock()
    with AppriseSender(list(targets.values()), attempt=SHORT, breaks_for=timedelta(0)) as sender:
        deliver_all(archive, sender, clock)
        refused = [one for one in deliveries(archive) if one.state == "dead"]
        assert {one.error for one in refused} == {"550 no such mailbox"}
        assert archive.retry_deliveries(None, clock()) == len(refused) > 0
        deliver_all(archive, sender, clock)
    for name, target in targets.items():
        assert ids_of(box, name).keys() == expected(ALERTS, target.target.id)
    assert max(ids_of(box, "ann").values()) == max(ids_of(box, "bob").values()) == 1
    repeats = sum(ids_of(box, "moody").values()) - ALERTS
    print(
        f"{len(box.mails)} mails of {ALERTS * 3}, {repeats} repeats, all to the moody one; {len(refused)} refused once"
    )
    # The moody one's server takes some and then falls silent: those come again, under their own Message-ID.
    assert {one.state for one in deliveries(archive)} == {"sent"}


@contextmanager
def exim(folder: Path) -> Iterator[int]:
    """Debian's own mail server on a free port; it keeps what it takes in its queue.

    At times it defers, refuses or hangs up on moody@, or says nothing for longer than we wait, by its process's number.
    """
    program = shutil.which("exim4") or shutil.which("exim4", path="/usr/sbin")
    if program is None:
        pytest.skip("Debian's mail server is not installed (apt-get install exim4-daemon-light)")
    port = free_port()
    (folder / "spool").mkdir()
    (folder / "exim.conf").write_text(
        f"""
primary_hostname = desk.example
domainlist local_domains = *
exim_user = {os.getuid()}
exim_group = {os.getgid()}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
queue_only = true
host_lookup =
tls_advertise_hosts =
acl_smtp_rcpt = at_times
acl_smtp_data = taken
begin acl
at_times:
  accept condition = ${{if !eq{{$local_part}}{{moody}}}}
  defer  message = try again later
         condition = ${{if eq{{${{eval:$pid % {EXIM_EVERY}}}}}{{0}}}}
  deny   message = no such mailbox
         condition = ${{if eq{{${{eval:$pid % {EXIM_EVERY}}}}}{{1}}}}
  drop   message = not today
         condition = ${{if eq{{${{eval:$pid % {EXIM_EVERY}}}}}{{2}}}}
  accept condition = ${{if eq{{${{eval:$pid % {EXIM_SILENT_EVERY}}}}}{{3}}}}
         delay = 60s
  accept
taken:
  accept
""",
        encoding="utf-8",
    )
    server = subprocess.Popen([program, "-C", str(folder / "exim.conf"), "-bdf"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def wait_for_port(port: int) -> None:
    import socket

    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the mail server did not start")


def queued(folder: Path) -> Counter[tuple[str, str]]:
    """Recipient and Message-ID of all that Exim took: its queue keeps headers in files of their own."""
    found: Counter[tuple[str, str]] = Counter()
    for file in (folder / "spool" / "input").rglob("*-H"):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        start = next(number for number, line in enumerate(lines) if line.isdecimal() and number > 3)
        headers = "\n".join(line[5:] if line[:3].isdecimal() else line for line in lines[start + 3 :])
        mail = message_from_bytes(headers.encode(), policy=policy.default)
        found[lines[start + 1].partition("@")[0], str(mail["Message-ID"])] += 1
    return found


def test_debians_mail_server_gets_each_once(archive: SqlArchive, tmp_path: Path) -> None:
    with exim(tmp_path) as port:
        targets = dict(zip(RECIPIENTS, addresses(port), strict=True))
        fill(archive, ALERTS, list(targets.values()))
        clock = Clock()
        with AppriseSender(list(targets.values()), attempt=EXIM_LIMIT, breaks_for=timedelta(0)) as sender:
            deliver_all(archive, sender, clock)
            while refused := archive.retry_deliveries(None, clock()):
                deliver_all(archive, sender, clock)
                print(f"{refused} refused, and tried again by hand")
        found = queued(tmp_path)
    for name, target in targets.items():
        assert {id for to, id in found if to == name} == expected(ALERTS, target.target.id)
    assert set(found.values()) == {1}  # its faults come before it has the message: each once, at all three
    assert {one.state for one in deliveries(archive)} == {"sent"}
    print(f"{sum(found.values())} messages in Exim's queue, each once")


# -- kill -9 ----------------------------------------------------------------------------------------------------------


def start(url: str, port: int, *death: str) -> subprocess.Popen[bytes]:
    """The sender as a process. Not with -m: its own processes would import all that it does, for nothing."""
    call = "import sys; from tests.sending import main; main(*sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", call, url, str(port), *death], cwd=ROOT, start_new_session=True)


def end(sender: subprocess.Popen[bytes], *, whole_group: bool) -> None:
    """kill -9 of the sender alone, or with the processes that it has."""
    if whole_group:
        os.killpg(sender.pid, signal.SIGKILL)
    else:
        sender.kill()
    sender.wait()


def check_all_arrived(archive: SqlArchive, box: Mailbox, count: int) -> int:
    """None lost, and no Message-ID that is not one of ours; how many came more than once."""
    repeats = 0
    for name, target in zip(RECIPIENTS, addresses(box.port), strict=True):
        arrived = ids_of(box, name)
        assert arrived.keys() == expected(count, target.target.id)
        repeats += sum(number - 1 for number in arrived.values())
    assert {one.state for one in deliveries(archive)} == {"sent"}
    return repeats


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_at_random_the_sender_loses_nothing(archive_url: str, box: Mailbox, seed: int) -> None:
    """Two senders at once, each killed somewhere within a third of a second after mails begin to arrive."""
    archive, chance = open_archive(archive_url), random.Random(seed)
    targets = [one.target.id for one in addresses(box.port)]
    box.takes = 0.1  # seconds until its yes: so that many a kill falls between the yes and our commit
    kills = count = 0
    while kills < KILLS:
        for _ in range(8):  # more than two senders get done before they die
            count += 1
            archive.raise_alert(alert(count, targets))
        senders = [start(archive_url, box.port) for _ in range(2)]
        before, patience = len(box.mails), time.monotonic() + 60
        while len(box.mails) < before + 2 and time.monotonic() < patience:
            time.sleep(0.02)
        for sender in senders:
            time.sleep(chance.random() * 0.3)
            kills += sender.poll() is None
            end(sender, whole_group=chance.random() < 0.5)
    box.takes = 0.0
    assert start(archive_url, box.port).wait(300) == 0
    repeats = check_all_arrived(archive, box, count)
    kind = archive_url.partition(":")[0]
    print(f"{kind}: {kills} kills, {count * len(RECIPIENTS)} messages, {repeats} repeats")
    assert repeats <= kills * 8  # at most what was in hand when it was killed
    archive.close()


PHASES = ("before", "after")


@pytest.mark.parametrize("phase", PHASES)
def test_killed_at_every_commit_the_sender_loses_nothing(archive_url: str, box: Mailbox, phase: str) -> None:
    archive, deaths = open_archive(archive_url), 0
    fill(archive, 1, addresses(box.port)[:1])
    for number in range(1, 100):
        fresh = alert(1_000 + number, [addresses(box.port)[0].target.id])
        archive.raise_alert(fresh)
        ended = start(archive_url, box.port, phase, str(number)).wait(60)
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        deaths += 1
        if deaths >= DEATHS:
            break
    assert start(archive_url, box.port).wait(60) == 0
    sent = {one.message_id for one in deliveries(archive)}
    assert {f"<{id}>" for id in sent} == set(ids_of(box, "ann"))
    assert {one.state for one in deliveries(archive)} == {"sent"}
    print(f"killed {phase} each of {deaths} commits: {len(sent)} messages, none lost")
    assert deaths >= 3
    archive.close()


# -- Slack ------------------------------------------------------------------------------------------------------------

HOOK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def room() -> Iterator[SlackRoom]:
    with slack_room() as opened:
        yield opened


def slack_sender(room: SlackRoom) -> AppriseSender:
    from alerts.config import parse
    from watchfloor.settings import Settings

    return AppriseSender(
        parse(f"urls:\n  - {HOOK}\n", None, Settings()).targets,
        apart=0,
        breaks_for=timedelta(0),
        webhooks=room.base,
    )


def test_slack_that_is_busy_gets_it_once_and_no_sooner_than_it_asked(archive: SqlArchive, room: SlackRoom) -> None:
    room.script = [429, 500, 200]
    room.headers = {429: {"Retry-After": "3600"}}
    clock = Clock()
    with slack_sender(room) as sender:
        archive.raise_alert(alert(1, [sender.targets[0].id]))
        with pytest.raises(AssertionError, match="still waiting"):
            deliver_all(archive, sender, clock, rounds=1)
        (waits,) = deliveries(archive)
        assert (waits.state, waits.next_at, waits.error) == (
            "pending",
            NOON + timedelta(hours=1),
            "HTTP 429 no_service",
        )
    clock.jump()
    with slack_sender(room) as sender:  # the first one would leave the target in peace for an hour of the real clock
        deliver_all(archive, sender, clock)
    assert [one.state for one in deliveries(archive)] == ["sent"]
    assert len(room.posts) == 3


@pytest.mark.parametrize(("status", "reason"), [(404, "HTTP 404 no_service"), (302, "HTTP 302 no_service")])
def test_slack_that_says_no_is_a_dead_letter_with_its_reason(
    archive: SqlArchive, room: SlackRoom, status: int, reason: str
) -> None:
    room.script = [status, 200]
    clock = Clock()
    with slack_sender(room) as sender:
        archive.raise_alert(alert(1, [sender.targets[0].id]))
        deliver_all(archive, sender, clock)
        assert [(one.state, one.error) for one in deliveries(archive)] == [("dead", reason)]
        assert archive.retry_deliveries(None, clock()) == 1
        deliver_all(archive, sender, clock)
    assert [one.state for one in deliveries(archive)] == ["sent"]
    assert len(room.posts) == 2
