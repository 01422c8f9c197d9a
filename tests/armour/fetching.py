"""A process that fetches what it is told to, and says how much memory that took: `BASE ARCHIVE PATH...`."""

from __future__ import annotations

import asyncio
import json
import resource
import sys

from tests.armour.floors import open_floor
from watchfloor import pipeline
from watchfloor.model import FeedState, PollJob, Source
from watchfloor.pipeline import Floor


def held() -> float:
    """The most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def ask(floor: Floor, url: str) -> str:
    outcome = await pipeline.ask_feed(floor, PollJob(Source("x", "x", url, "x"), FeedState()))
    floor.archive.keep_poll(floor.owner, outcome)
    return outcome.error or outcome.result


async def main(base: str, archive: str, *paths: str) -> None:
    async with open_floor(archive, [Source("x", "x", f"{base}/good", "x")]) as floor:
        await ask(floor, f"{base}/good")
        idle = held()
        said = {path: await ask(floor, base + path) for path in paths}
        print(json.dumps({"idle": idle, "peak": held(), "said": said}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
