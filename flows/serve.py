"""`watchfloor serve`: Prefect's server, the schedules, and the desk's page, in one process tree.

serve ── prefect server (a child, unless PREFECT_API_URL names one that runs)
  ├───── runner: starts a process for each scheduled run of flows.*
  └───── the desk's page, and /healthz
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from watchfloor import leases, scheduler, wiring
from watchfloor.errors import ConfigurationError, WatchfloorError
from watchfloor.settings import NO_CONTACT, Settings

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

    from watchfloor.web.guard import Guard

SERVER_START = 120.0  # seconds; on a busy machine Prefect's server needs most of a minute for its first migration
SERVER_STOP = 15.0
AGAIN = 5.0
LOOK_EVERY = 5.0  # at whether the server is there
GONE_LOOKS = 3  # so many in a row find nobody: one that restarts by itself is not gone
LOG = "server.log"  # in PREFECT_HOME
NAME = "watchfloor"  # of the deployments and the runner
SEND_EVERY = timedelta(minutes=5)
# Services of Prefect's that look every 5 to 20 s for what a desk has once a day, or never: two fifths of what a server
# takes at rest. The one that finds new schedules looks as often as ever, or the first cycle would be a minute late.
PATIENT_SERVICES = (
    "CANCELLATION_CLEANUP", "CLEANUP_RECONCILER", "FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR",
)  # fmt: skip
LOOKS_EVERY = "60"  # seconds


class ServerError(WatchfloorError):
    """Prefect's server did not come up."""


def serve(settings: Settings, *, every: timedelta, host: str, port: int) -> None:
    """Run until interrupted. What is misconfigured is raised before anything starts.

    Raises:
        ConfigurationError: a file or setting of the user's is wrong.
        ServerError: Prefect's server did not come up.
    """
    wiring.check(settings)
    app = wiring.make_page(settings, host=host, every=every)
    _see_whether_free(host, port)
    if settings.contact is None:
        print(f"watchfloor: {NO_CONTACT}", file=sys.stderr, flush=True)
    set_defaults()
    while True:
        with prefect_server() as url:
            print(f"Prefect's page and API: {url.removesuffix('/api')}", flush=True)
            print(f"The desk: http://{host}:{port}/", flush=True)
            trouble = asyncio.run(_serve(settings, app, url, every=every, host=host, port=port))
        if trouble is None:
            return
        print(f"watchfloor: the schedules ended ({trouble}) and are started again", file=sys.stderr, flush=True)
        time.sleep(AGAIN)


def _see_whether_free(host: str, port: int) -> None:
    """uvicorn would find out after Prefect's server has started, and end the process in its own words."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise ConfigurationError(
            f"the desk's page cannot listen on {host}:{port}: {error.strerror}", hint="--port names another port"
        ) from error


async def _serve(
    settings: Settings, app: Guard, api: str, *, every: timedelta, host: str, port: int
) -> BaseException | None:
    """Run until somebody asks it to end: None. What ended it by itself otherwise, as when Prefect's server is gone."""
    import uvicorn
    from prefect.client.orchestration import get_client
    from prefect.runner import Runner

    from flows.free_orphans import free_orphans, keep_freeing

    runner = Runner(name=NAME, pause_on_shutdown=False, query_seconds=5)
    async with get_client() as client:
        await free_orphans(client, NAME, wiring.now())
    for deployment in await make_deployments(settings, every):
        await runner.aadd_deployment(deployment)
    page = uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off", server_header=False)
    )
    page.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # it would raise them again when it ends
    runs, serves = asyncio.create_task(runner.start()), asyncio.create_task(page.serve())
    await asyncio.sleep(0)  # the runner takes SIGTERM for itself, and hangs in it
    stopped, gone = asyncio.create_task(_stopped().wait()), asyncio.create_task(_gone(api))
    freeing = asyncio.create_task(keep_freeing(NAME))
    await asyncio.wait({runs, serves, stopped, gone}, return_when=asyncio.FIRST_COMPLETED)
    asked_to_end, trouble = stopped.done(), gone.result() if gone.done() else None
    page.should_exit = True
    for task in (runs, stopped, gone, freeing):
        task.cancel()
    ended = await asyncio.gather(runs, serves, stopped, gone, freeing, return_exceptions=True)
    if asked_to_end:
        return None
    return trouble or next((one for one in ended[:2] if isinstance(one, Exception)), ServerError("without a word"))


async def _gone(api: str) -> ServerError:
    """Returns when Prefect's server is gone. The runner would ask it for ever."""
    missed = 0
    while missed < GONE_LOOKS:
        await asyncio.sleep(LOOK_EVERY)
        missed = missed + 1 if await asyncio.to_thread(scheduler.is_gone, api) else 0
    return ServerError(f"nobody answers at {api} any more")


def _stopped() -> asyncio.Event:
    """Set when somebody, or systemd, asks the process to end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def make_deployments(settings: Settings, every: timedelta) -> list[RunnerDeployment]:
    """The flows with their schedules; prefect.yaml says the same for a work pool."""
    from prefect.schedules import Cron, Interval
    from prefect.types.entrypoint import EntrypointType

    from flows.keep_house import keep_house
    from flows.poll_feeds import poll_feeds
    from flows.send_alerts import send_alerts
    from flows.write_digest import write_digest

    schedules: dict[Flow[..., Any], Schedule] = {
        poll_feeds: Interval(every),
        send_alerts: Interval(SEND_EVERY),
        write_digest: Cron("0 * * * *", timezone=settings.timezone),
        keep_house: Cron("40 3 * * *", timezone=settings.timezone),
    }
    return [
        await flow.ato_deployment(NAME, schedule=schedule, entrypoint_type=EntrypointType.MODULE_PATH)
        for flow, schedule in schedules.items()
    ]


def set_defaults() -> None:
    """Prefect's settings, where the user has none of their own; must run before Prefect is first imported."""
    for name, value in {
        "PREFECT_HOME": str(scheduler.HOME.resolve()),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        # Leases in memory are never freed after a power cut; clean-up of old runs is off by default.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        **{f"PREFECT_SERVER_SERVICES_{name}_LOOP_SECONDS": LOOKS_EVERY for name in PATIENT_SERVICES},
    }.items():
        os.environ.setdefault(name, value)
    Path(os.environ["PREFECT_HOME"]).mkdir(parents=True, exist_ok=True)


@contextmanager
def prefect_server() -> Iterator[str]:
    """The address of an API that answers: the user's own, one that an earlier `serve` left behind, or a child's."""
    api = os.environ.setdefault("PREFECT_API_URL", scheduler.own_address())
    home = Path(os.environ["PREFECT_HOME"])
    server = None
    if scheduler.answers(api):
        server = _left_behind(home)
    elif api == scheduler.own_address():
        server = _start(home)
        _wait_for(api, server, home / LOG)
    else:
        raise ServerError(f"no Prefect server answers at {api} (PREFECT_API_URL)")
    try:
        yield api
    finally:
        if server is not None:
            _end(server)


def _start(home: Path) -> psutil.Process:
    host, port = scheduler.own_host_and_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", port]
    with (home / LOG).open("ab") as output:
        server = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    scheduler.note(home, scheduler.Kept(leases.owner_of(server.pid), leases.owner_of_this_process()))
    return server


def _left_behind(home: Path) -> psutil.Process | None:
    """The server of a `serve` that was killed: ours to end. None for that of somebody else, or of a living `serve`."""
    kept = scheduler.kept_in(home)
    if kept is None or leases.is_alive(kept.serve):
        return None
    scheduler.note(home, replace(kept, serve=leases.owner_of_this_process()))
    return psutil.Process(kept.pid)


def _end(server: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        server.terminate()
        try:
            server.wait(SERVER_STOP)
        except psutil.TimeoutExpired:
            server.kill()


def _wait_for(url: str, server: psutil.Process, log: Path) -> None:
    ends = time.monotonic() + SERVER_START
    while not scheduler.answers(url):
        if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE or time.monotonic() > ends:
            _end(server)
            raise ServerError(f"Prefect's server did not start at {url}; its own words are in {log}")
        time.sleep(0.3)
