"""`web`: the desk's page alone."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.options import WebOptions
from watchfloor.sources import read_duration


def web(
    *,
    host: Annotated[str, Parameter(help="Address to listen on; any but loopback needs a password.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on.")] = 8700,
    every: Annotated[str, Parameter(help="How often cycles run elsewhere; /healthz complains after three.")] = "1h",
    options: WebOptions = WebOptions(),  # noqa: B008 - frozen, and cyclopts reads it
) -> int:
    """Show the desk's page until stopped: stories, search, sources, over the archive as it is."""
    import uvicorn

    settings = options.settings()
    app = wiring.make_page(settings, host=host, every=read_duration(every))
    print(f"The desk: http://{'[::1]' if host == '::1' else host}:{port}/", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", lifespan="off", server_header=False)
    return DONE
