"""What servers see of us: each demand on a polite reader, against a server that logs its requests."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers import LOOPBACK, Script, Server, newspaper, on_loop, redirect, reply
from watchfloor import robots
from watchfloor.errors import FetchError, HttpStatus, Refused, Unreachable
from watchfloor.fetch import HttpDoor

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DELAY = 0.1  # seconds between two requests, in these tests


def a_door(**options: object) -> HttpDoor:
    plain: dict[str, object] = {"allow_addresses": LOOPBACK, "host_delay": 0, "deadline": 2, "clock": lambda: NOW}
    return HttpDoor(**{**plain, **options})  # type: ignore[arg-type]


async def failure(door: HttpDoor, url: str, **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await door.get(url, **options)  # type: ignore[arg-type]
    return caught.value


def gaps(server: Server) -> list[float]:
    return [later.at - earlier.at for earlier, later in itertools.pairwise(server.log)]


# -- what is said -----------------------------------------------------------------------------------------------------


@on_loop
async def test_the_headers_of_a_request() -> None:
    cookie = reply(200, b"x", Set_Cookie="id=1")
    async with Server({"/feed?a=1": cookie, "/page": cookie}) as server:
        async with a_door(contact="desk@example.org") as door:
            await door.get(server.url("/feed?a=1#part"), want="feed", etag='"1"', last_modified="yesterday")
            await door.get(server.url("/page"), want="page")
        host = f"127.0.0.1:{server.port}".encode()
        agent = b"Watchfloor/0.1.0 (+https://github.com/watchfloor/watchfloor; mailto:desk@example.org)"
        always = {"Host": host, "User-Agent": agent, "Accept-Encoding": b"gzip, deflate"}
        feeds = (
            b"application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
            b"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.5, */*;q=0.1"
        )
        pages = b"text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
        assert [(seen.method, seen.target, dict(seen.headers)) for seen in server.log] == [
            (
                "GET",
                "/feed?a=1",
                {**always, "Accept": feeds, "If-None-Match": b'"1"', "If-Modified-Since": b"yesterday"},
            ),
            ("GET", "/page", {**always, "Accept": pages}),
        ]


@on_loop
async def test_validators_go_to_the_address_asked_and_no_further() -> None:
    async with Server({"/a": redirect("/b"), "/b": reply(200, b"x")}) as server, a_door() as door:
        await door.get(server.url("/a"), etag='"a"', last_modified="then")
        sent = [(seen.header("If-None-Match"), seen.header("If-Modified-Since")) for seen in server.log]
        assert sent == [(b'"a"', b"then"), (None, None)]


@on_loop
async def test_a_304_after_a_redirect_was_not_asked_for() -> None:
    async with Server({"/a": redirect("/b"), "/b": reply(304)}) as server, a_door() as door:
        assert "304" in (await failure(door, server.url("/a"), etag='"a"')).reason


@on_loop
async def test_one_request_and_nothing_else() -> None:
    """No HEAD, no second one without conditions, no favicon, no robots.txt for a feed."""
    async with Server({"/feed": reply(200, b"x")}) as server, a_door() as door:
        await door.get(server.url("/feed"), want="feed")
        assert server.targets == ["/feed"]


async def _hang_up(_: object, writer: asyncio.StreamWriter) -> None:
    writer.close()


@on_loop
async def test_who_hangs_up_is_not_asked_again() -> None:
    async with Server({"/a": _hang_up}) as server, a_door() as door:
        error = await failure(door, server.url("/a"))
        assert (error.reason, server.targets) == ("the server closed the connection without an answer", ["/a"])


# -- how often --------------------------------------------------------------------------------------------------------


@on_loop
async def test_one_connection_to_a_host_and_a_rest_between() -> None:
    paths = [f"/{n}" for n in range(6)]
    async with Server({path: reply(200, b"x") for path in paths}, takes=0.02) as server:
        async with a_door(host_delay=DELAY) as door:
            await asyncio.gather(*(door.get(server.url(path)) for path in paths))
        assert server.busiest == 1
        assert server.targets == paths  # first come, first served
        assert min(gaps(server)) >= DELAY * 0.95


@on_loop
async def test_fifty_feeds_of_one_host_come_one_by_one() -> None:
    async with Server({f"/{n}": reply(200, b"x") for n in range(50)}, takes=0.002) as server, a_door() as door:
        await asyncio.gather(*(door.get(server.url(f"/{n}")) for n in range(50)))
        assert (server.busiest, len(server.log)) == (1, 50)


@on_loop
async def test_more_connections_where_the_user_says_so() -> None:
    async with Server({f"/{n}": reply(200, b"x") for n in range(8)}, takes=0.3) as server:
        async with a_door(host_connections=3, host_delay=0.03) as door:
            await asyncio.gather(*(door.get(server.url(f"/{n}")) for n in range(6)))
        assert server.busiest == 3
        assert min(gaps(server)) >= 0.025


@on_loop
async def test_redirects_wait_for_their_turn_too() -> None:
    async with Server({"/a": redirect("/b"), "/b": reply(200, b"x")}) as server:
        async with a_door(host_delay=DELAY, deadline=DELAY * 0.9) as door:  # the wait is not the server's time
            await door.get(server.url("/a"))
        assert gaps(server)[0] >= DELAY * 0.95


@on_loop
async def test_hosts_do_not_wait_for_each_other() -> None:
    slow, other = Server({"/": reply(200, b"x")}, takes=0.2), Server({"/": reply(200, b"x")}, host="127.0.0.2")
    async with slow, other, a_door(host_delay=5) as door:
        began = time.monotonic()
        await asyncio.gather(door.get(slow.url()), door.get(other.url()))
        assert time.monotonic() - began < 1
        assert other.log[0].at - slow.log[0].at < 0.15


# -- Retry-After ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
@on_loop
async def test_retry_after_holds_for_the_whole_host(status: int) -> None:
    async with Server({"/a": reply(status, Retry_After="120"), "/b": reply(200, b"x")}) as server, a_door() as door:
        first, sibling = [await failure(door, server.url(path)) for path in ("/a", "/b")]
        assert isinstance(first, HttpStatus)
        assert isinstance(sibling, HttpStatus)
        assert (first.status, first.retry_after, first.retryable) == (status, timedelta(seconds=120), True)
        assert (sibling.status, sibling.url) == (status, server.url("/b"))
        assert sibling.retry_after is not None
        assert timedelta(seconds=115) < sibling.retry_after <= timedelta(seconds=120)
        assert server.targets == ["/a"]


@on_loop
async def test_retry_after_as_a_date_is_read_by_our_clock() -> None:
    answer = reply(503, Retry_After="Tue, 24 Nov 2026 12:10:00 GMT")
    async with Server({"/a": answer}) as server, a_door() as door:
        assert (await failure(door, server.url("/a"))).retry_after == timedelta(minutes=10)


@on_loop
async def test_who_waits_in_line_hears_of_it() -> None:
    paths = [f"/{n}" for n in range(5)]
    async with Server({path: reply(429, Retry_After="60") for path in paths}, takes=0.05) as server, a_door() as door:
        errors = await asyncio.gather(*(failure(door, server.url(path)) for path in paths))
        assert [type(error) for error in errors] == [HttpStatus] * 5
        assert server.targets == ["/0"]


@on_loop
async def test_it_ends() -> None:
    async with Server({"/a": reply(429, Retry_After="1"), "/b": reply(200, b"x")}) as server, a_door() as door:
        await failure(door, server.url("/a"))
        await asyncio.sleep(1.02)
        assert (await door.get(server.url("/b"))).body == b"x"


@on_loop
async def test_a_failure_without_it_speaks_for_itself_alone() -> None:
    async with Server({"/a": reply(500), "/b": reply(200, b"x")}) as server, a_door() as door:
        assert (await failure(door, server.url("/a"))).retryable
        assert (await door.get(server.url("/b"))).body == b"x"


# -- robots.txt -------------------------------------------------------------------------------------------------------

RULES = b"""User-agent: *
Disallow: /

User-agent: Watchfloor
Disallow: /private/
Allow: /private/open
"""


@on_loop
async def test_pages_obey_robots_and_ask_for_it_once() -> None:
    pages = {"/a": b"a", "/b": b"b", "/private/open": b"o", "/private/x": b"x"}
    async with Server(newspaper(pages, RULES)) as server, a_door(host_connections=4) as door:
        allowed = ["/a", "/b", "/private/open"]
        answers = await asyncio.gather(*(door.get(server.url(path), want="page", robots=True) for path in allowed))
        refused = await failure(door, server.url("/private/x"), want="page", robots=True)
        assert [answer.body for answer in answers] == [b"a", b"b", b"o"]
        assert (type(refused), refused.reason) == (Refused, "robots.txt of the site does not allow it")
        assert server.targets[0] == "/robots.txt"
        assert sorted(server.targets) == [*allowed, "/robots.txt"]


@on_loop
async def test_robots_of_the_place_a_redirect_leads_to() -> None:
    async with Server(newspaper({"/p": b"x"}, b"User-agent: *\nDisallow: /"), host="127.0.0.2") as closed:
        async with Server({"/a": redirect(closed.url("/p"))}) as server, a_door() as door:
            assert type(await failure(door, server.url("/a"), robots=True)) is Refused
        assert closed.targets == ["/robots.txt"]


STRANGE = {
    "empty": b"",
    "html": b"<html>not found</html>",
    "byte order mark": b"\xef\xbb\xbfUser-agent: *\nDisallow: /x",
    "no text": b"\xff\xfe\x00\xed\xa0\x80",
    "one long line": b"x" * 600_000,
}


@pytest.mark.parametrize("name", STRANGE)
@on_loop
async def test_a_strange_robots_forbids_nothing(name: str) -> None:
    async with Server(newspaper({"/a": b"a"}, STRANGE[name])) as server, a_door() as door:
        assert (await door.get(server.url("/a"), robots=True)).body == b"a"


@on_loop
async def test_of_a_huge_robots_the_beginning_counts() -> None:
    rules = b"User-agent: *\nDisallow: /a\n" + b"# padding\n" * 60_000 + b"Disallow: /b\n"
    async with Server(newspaper({"/a": b"a", "/b": b"b"}, rules)) as server, a_door() as door:
        assert type(await failure(door, server.url("/a"), robots=True)) is Refused
        assert (await door.get(server.url("/b"), robots=True)).body == b"b"


@pytest.mark.parametrize("name", ["Watchfloor", "watchfloor*", "WATCH", "*"])
def test_of_many_agents_with_many_rules_those_count_that_mean_us(name: str) -> None:
    """protego alone would keep two hundred million rules."""
    others = "".join(f"User-agent: other{number}\n" for number in range(14_000))
    rules = "Disallow: /a\n" * 14_000
    said = robots.read(f"{others}User-agent: {name}  # and all of these\n{rules}User-agent: x\nDisallow: /".encode())
    assert (said.allow("https://a.example/a"), said.allow("https://a.example/b")) == (False, True)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
@on_loop
async def test_no_robots_means_everything(status: int) -> None:
    async with Server({"/robots.txt": reply(status), "/a": reply(200, b"a")}) as server, a_door() as door:
        assert (await door.get(server.url("/a"), robots=True)).body == b"a"


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (reply(500), timedelta(days=1)),
        (reply(503, Retry_After="90"), timedelta(seconds=90)),
        (reply(429), timedelta(days=1)),
        (_hang_up, timedelta(minutes=10)),
        (redirect("/robots.txt"), timedelta(minutes=10)),
    ],
    ids=["500", "503", "429", "hangs up", "circle"],
)
@on_loop
async def test_robots_that_cannot_be_read_forbid_all_for_a_while(answer: bytes | Script, wait: timedelta) -> None:
    async with Server({"/robots.txt": answer, "/a": reply(200, b"a")}) as server, a_door() as door:
        errors = [await failure(door, server.url("/a"), robots=True) for _ in range(2)]
        assert [(type(error), error.retryable) for error in errors] == [(Unreachable, True)] * 2
        assert errors[1].retry_after is not None
        assert wait - timedelta(seconds=2) < errors[1].retry_after <= wait
        assert server.targets == ["/robots.txt"]


@on_loop
async def test_a_crawl_delay_is_kept() -> None:
    rules = b"User-agent: *\nCrawl-delay: 0.2"
    async with Server(newspaper({"/a": b"a", "/b": b"b"}, rules)) as server, a_door(host_connections=4) as door:
        await asyncio.gather(*(door.get(server.url(path), robots=True) for path in ("/a", "/b")))
        assert min(gaps(server)) >= 0.19


@pytest.mark.parametrize(
    ("asked", "kept"), [("5", 5), ("0.5", 0.5), ("1e9", 60), ("nan", 0), ("inf", 0), ("-1", 0), ("soon", 0)]
)
def test_crawl_delays_between_nothing_and_a_minute(asked: str, kept: float) -> None:
    assert robots.read(f"User-agent: Watchfloor\nCrawl-delay: {asked}".encode()).delay == kept


def test_rules_for_others_are_not_ours() -> None:
    rules = robots.read(b"User-agent: Googlebot\nDisallow: /\n\nUser-agent: github\nDisallow: /\n")
    assert rules.allow("https://a.example/x")
