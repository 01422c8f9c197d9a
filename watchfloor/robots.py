"""robots.txt -> Rules, by RFC 9309. protego lives here only. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from protego import Protego

PRODUCT = "Watchfloor"  # the token by which a robots.txt names us; the whole User-Agent would match others' groups too
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
    parsed = Protego.parse(body.decode("utf-8-sig", "replace"))
    return Rules(parsed, min(max(parsed.crawl_delay(PRODUCT) or 0.0, 0.0), MAX_DELAY))


FREE = read(b"")  # no robots.txt: everything is allowed
