"""Who holds a lease, and whether they still live."""

from __future__ import annotations

import os
import subprocess
import sys

from watchfloor import leases


def test_this_process_lives() -> None:
    assert leases.is_alive(leases.owner_of_this_process())


def test_a_process_that_ended_is_dead_even_when_its_number_is_given_out_again() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = leases._started(child.pid)
    owner = f"{leases.host_name()}:{child.pid}:{began}"
    assert leases.is_alive(owner)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet buried
    assert not leases.is_alive(owner)  # a zombie works on nothing
    child.communicate()
    assert not leases.is_alive(owner)
    own_number, _, _ = leases.owner_of_this_process().rpartition(":")
    assert not leases.is_alive(f"{own_number}:{began}")


def test_what_cannot_be_read_is_dead() -> None:
    assert not any(leases.is_alive(owner) for owner in ("", "host", "host:x:y", "host:1:", f"host:{2**40}:1"))
