"""robots.txt -> Rules, by RFC 9309. protego lives here only. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from protego import Protego

PRODUCT = "Watchfloor"  # the token by which a robots.txt names us; the whole User-Agent would match others' groups too
_AGENT = re.compile(r"\s*user(?:-|\s*)agent(?:\s*:|\s)\s*", re.IGNORECASE)
MAX_DELAY = 60.0  # seconds; some ask for days, and a page that late is no news


@dataclass(frozen=True, slots=True)
class Rules:
    """What one origin asks of us. `delay`: seconds between two requests, 0..60."""

    parsed: Protego
    delay: float

    def allow(self, url: str) -> bool:
        """Whether `url`, percent-encoded ASCII, may be asked."""
        return bool(self.parsed.can_fetch(url, PRODUCT))


def read(body: bytes) -> Rules:
    """The rules of a robots.txt. Anything can be read: what is no rule (an HTML page, say) forbids nothing."""
    lines = body.decode("utf-8-sig", "replace").splitlines()
    parsed = Protego.parse("\n".join(map(_without_others, lines)))
    return Rules(parsed, min(max(parsed.crawl_delay(PRODUCT) or 0.0, 0.0), MAX_DELAY))


def _without_others(line: str) -> str:
    """The line, which names nobody where it named another agent: protego keeps a rule once for each agent above it, and
    86 KB of both take 650 MB and eight seconds.
    """
    start = _AGENT.match(line)
    if start is None:
        return line
    name = line[start.end() :].partition("#")[0].strip().lower()
    bare = name.replace("*", "")
    is_ours = name == "*" or (bare and PRODUCT.lower().startswith(bare))
    return line if is_ours else f"{start[0]}-"


FREE = read(b"")  # no robots.txt: everything is allowed
