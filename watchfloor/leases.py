"""Who holds a lease: an owner is "host:pid:start", so that a dead process of this host is known to be dead at once.

A process id alone is given out again; with the moment at which the process began it is not. That moment is told by a
clock that nobody sets: by the one on the wall, a living process would look like another after each correction. A lease
of another host cannot be looked at from here and ends by its own time; hosts that share an archive need names of their
own.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import cache
from pathlib import Path

import psutil

SOURCE_LEASE = timedelta(minutes=15)  # 50 sources of one host, each taking the whole deadline
PAGE_LEASE = timedelta(minutes=30)  # 500 pages of one host, 2 s apart; those of a slower one are given back
JUDGE_LEASE = timedelta(minutes=10)  # a batch takes seconds


def host_name() -> str:
    """This host, as owners name it (a colon would make them ambiguous)."""
    return socket.gethostname().replace(":", "-")


def owner_of_this_process() -> str:
    """The owner string of the calling process."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """The owner string of a living process of this host."""
    return f"{host_name()}:{pid}:{_started(pid)}"


def lives_here(owner: str) -> bool:
    """Whether the owner is a living process of this host."""
    return is_of_this_host(owner) and is_alive(owner)


def is_of_this_host(owner: str) -> bool:
    """Whether it can be judged from here."""
    return owner.partition(":")[0] == host_name()


def is_alive(owner: str) -> bool:
    """Whether the process behind an owner of this host still runs. Unreadable owners count as dead."""
    _, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    return pid.isdigit() and _started(int(pid)) == start


def _started(pid: int) -> str | None:
    """The moment at which a process began; None where there is none or it is a zombie."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return _ticks_since_boot(pid) or f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def _ticks_since_boot(pid: int) -> str | None:
    """The boot and the ticks from it to the process's beginning; None where the system does not say (not Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return f"{_boot()}-{int(fields[19])}"  # starttime, the 22nd field of the line; the name may hold blanks


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
    except OSError:
        return "boot"
