"""Who holds a lease: an owner is "host:pid:start", so that a dead process of this host is known to be dead at once.

A process id alone is given out again; with the time at which the process began it is not. A lease of another host
cannot be looked at from here and ends by its own time.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta

import psutil

SOURCE_LEASE = timedelta(minutes=15)  # 32 sources of one host, each taking the whole deadline of 30 s
PAGE_LEASE = timedelta(minutes=30)  # 500 pages of one host, 2 s apart
JUDGE_LEASE = timedelta(minutes=10)  # a batch takes seconds


def host_name() -> str:
    """This host, as owners name it (a colon would make them ambiguous)."""
    return socket.gethostname().replace(":", "-")


def owner_of_this_process() -> str:
    """The owner string of the calling process."""
    return f"{host_name()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process behind an owner of this host still runs. Unreadable owners count as dead."""
    _, _, rest = owner.partition(":")
    pid, _, start = rest.partition(":")
    return pid.isdigit() and str(_started(int(pid))) == start


def _started(pid: int) -> int | None:
    """When a process began, in hundredths of a second since the epoch; None where there is none or it is a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time() * 100)
    except psutil.Error:
        return None
