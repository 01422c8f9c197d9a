"""`watchfloor serve`: Prefect's server, the schedules, and the desk's page, in one process tree.

serve ── prefect server (a child, unless PREFECT_API_URL names one that runs)
  ├───── runner: starts a process for each scheduled run of flows.*
  └───── the desk's page, and /healthz
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from watchfloor import wiring
from watchfloor.errors import WatchfloorError
from watchfloor.settings import NO_CONTACT, Settings

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import PrefectClient
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

    from watchfloor.web.guard import Guard
SERVER_START = 120.0  # seconds; on a busy machine Prefect's server needs most of a minute for its first migration
SERVER_STOP = 15.0
LOG, PID = "server.log", "server.pid"  # in PREFECT_HOME
HOME = Path("data/prefect")
NAME = "watchfloor"  # of the deployments and the runner
SEND_EVERY = timedelta(minutes=5)


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
    if settings.contact is None:
        print(f"watchfloor: {NO_CONTACT}", file=sys.stderr, flush=True)
    set_defaults()
    with prefect_server() as url:
        print(f"Prefect's page and API: {url.removesuffix('/api')}", flush=True)
        print(f"The desk: http://{host}:{port}/", flush=True)
        asyncio.run(_serve(settings, app, every=every, host=host, port=port))


async def _serve(settings: Settings, app: Guard, *, every: timedelta, host: str, port: int) -> None:
    import uvicorn
    from prefect.client.orchestration import get_client
    from prefect.runner import Runner

    runner = Runner(name=NAME, pause_on_shutdown=False, query_seconds=5)
    deployments = await make_deployments(settings, every)
    async with get_client() as client:
        await free_orphans(client, [deployment.flow_name or "" for deployment in deployments])
    for deployment in deployments:
        await runner.aadd_deployment(deployment)
    page = uvicorn.Server(
        uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="off", server_header=False)
    )
    page.capture_signals = nullcontext  # type: ignore[method-assign,assignment]  # it would raise them again when it ends
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runner.start())
        serving = group.create_task(page.serve())
        await asyncio.sleep(0)  # the runner takes SIGTERM for itself, and hangs in it
        stopping = group.create_task(_stopped().wait())
        await asyncio.wait({running, serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        page.should_exit = True
        running.cancel()
        stopping.cancel()


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


async def free_orphans(client: PrefectClient, flow_names: list[str]) -> None:
    """Runs that a killed `serve` left "Running" are crashed: nobody works on them any more, and the page should say so.

    What they had in hand is freed by the archive's own leases.
    """
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    stale = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[NAME])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
        ),
    )
    for run in stale:
        await client.set_flow_run_state(run.id, Crashed(message="its process ended with an earlier serve"), force=True)


def set_defaults() -> None:
    """Prefect's settings, where the user has none of their own; must run before Prefect is first imported."""
    home = HOME.resolve()
    home.mkdir(parents=True, exist_ok=True)
    for name, value in {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_CLI_PROMPT": "false",
        # Leases in memory are never freed after a power cut; clean-up of old runs is off by default.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    }.items():
        os.environ.setdefault(name, value)


@contextmanager
def prefect_server() -> Iterator[str]:
    """The address of an API that answers: the user's own, one that an earlier `serve` left behind, or a child's."""
    host, port = (
        os.environ.get("PREFECT_SERVER_API_HOST", "127.0.0.1"),
        os.environ.get("PREFECT_SERVER_API_PORT", "4200"),
    )
    url = os.environ.setdefault("PREFECT_API_URL", f"http://{host}:{port}/api")
    home = Path(os.environ["PREFECT_HOME"])
    if answers(url):
        server = _left_behind(home)
    else:
        server = _start(["--host", host, "--port", port], home)
        _wait_for(url, server, home / LOG)
    try:
        yield url
    finally:
        if server is not None:
            _end(server)


def _start(options: list[str], home: Path) -> psutil.Process:
    command = [sys.executable, "-m", "prefect", "server", "start", *options]
    with (home / LOG).open("ab") as output:
        server = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    (home / PID).write_text(f"{server.pid} {server.create_time()}", encoding="ascii")
    return server


def _left_behind(home: Path) -> psutil.Process | None:
    """The server of a `serve` that was killed: still ours to end. None for one that somebody else runs."""
    try:
        pid, began = (home / PID).read_text(encoding="ascii").split()
        server = psutil.Process(int(pid))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return server if str(server.create_time()) == began else None


def _end(server: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        server.terminate()
        try:
            server.wait(SERVER_STOP)
        except psutil.TimeoutExpired:
            server.kill()


def answers(url: str) -> bool:
    """Whether a Prefect API answers there."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _wait_for(url: str, server: psutil.Process, log: Path) -> None:
    ends = time.monotonic() + SERVER_START
    while not answers(url):
        if not server.is_running() or server.status() == psutil.STATUS_ZOMBIE or time.monotonic() > ends:
            _end(server)
            raise ServerError(f"Prefect's server did not start at {url}; its own words are in {log}")
        time.sleep(0.3)
