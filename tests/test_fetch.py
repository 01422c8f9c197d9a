"""The door against servers that mean no good, and what it makes of headers."""

from __future__ import annotations

import gzip
import resource
import socket
import time
import zlib
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.servers import LOOPBACK, Script, Server, by_validator, drips, on_loop, redirect, reply, says
from watchfloor.errors import BadAnswer, ConfigurationError, FetchError, HttpStatus, Refused, Unreachable
from watchfloor.fetch import HttpDoor, cache_lifetime, retry_after, user_agent
from watchfloor.ports import Answer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
QUICK = 0.4  # seconds: the deadline of these tests
BODY = b"<rss>a body of some length, repeated</rss>" * 300
SMALL = {"feed": 100_000, "page": 50_000, "any": 100_000}


class Names(AbstractResolver):
    """Resolves names as told, one list of addresses after the other, the last for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers, self.lookups = answers, 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.lookups += 1
        answers = self._answers.get(host.partition(".")[0])
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [_resolved(host, port, address) for address in (answers.pop(0) if len(answers) > 1 else answers[0])]

    async def close(self) -> None:
        """Nothing is held."""


def _resolved(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)


def a_door(**options: object) -> HttpDoor:
    plain: dict[str, object] = {"allow_addresses": LOOPBACK, "host_delay": 0, "host_connections": 8, "deadline": QUICK}
    return HttpDoor(**{**plain, **options})  # type: ignore[arg-type]


async def failure(door: HttpDoor, url: str, **options: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await door.get(url, **options)  # type: ignore[arg-type]
    return caught.value


async def outcome_of(answer: bytes | Script, **options: object) -> tuple[type[FetchError], str]:
    """What a door with small caps says of this answer."""
    async with Server({"/": answer}) as server, a_door(caps=SMALL, **options) as door:
        error = await failure(door, server.url())
        return type(error), error.reason


# -- a good answer ----------------------------------------------------------------------------------------------------


@on_loop
async def test_a_plain_answer_arrives_whole() -> None:
    async with Server({"/feed": reply(200, BODY, Content_Type="text/xml", ETag='"1"')}) as server, a_door() as door:
        url = server.url("/feed")
        headers = {"content-length": str(len(BODY)), "content-type": "text/xml", "etag": '"1"'}
        assert await door.get(url, want="feed") == Answer(url, url, 200, headers, BODY)


@on_loop
async def test_the_address_stays_as_it_is_spelt() -> None:
    async with Server({"/": reply(200, BODY)}) as server, a_door() as door:
        spelt = f"HTTP://127.0.0.1:{server.port}"
        answer = await door.get(spelt)
        assert (answer.url, answer.final_url) == (spelt, spelt)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(BODY)),
        ("X-Gzip", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:5000]) + gzip.compress(BODY[5000:])),
        ("gzip", gzip.compress(BODY) + b"\0" * 20),
        ("deflate", zlib.compress(BODY)),
        ("deflate", raw_deflate(BODY)),
        ("identity", BODY),
    ],
    ids=["gzip", "x-gzip", "two members", "padded", "deflate", "bare deflate", "identity"],
)
@on_loop
async def test_what_was_asked_for_is_decoded(encoding: str, packed: bytes) -> None:
    async with Server({"/": reply(200, packed, Content_Encoding=encoding)}) as server, a_door() as door:
        assert (await door.get(server.url())).body == BODY


# -- answers that mean no good ----------------------------------------------------------------------------------------

GZIPPED = gzip.compress(BODY)
BOMB = gzip.compress(b"\0" * 300_000)
HEAD = b"HTTP/1.1 200 OK\r\n"

HOSTILE: dict[str, tuple[bytes | Script, type[FetchError], str]] = {
    "drips its body": (drips(HEAD + b"Content-Length: 999\r\n\r\n", b"x"), Unreachable, "took longer than 0.4 s"),
    "drips its headers": (drips(HEAD + b"X-A: ", b"x"), Unreachable, "took longer than 0.4 s"),
    "says nothing": (drips(b"", b"", every=9), Unreachable, "took longer than 0.4 s"),
    "continues for ever": (
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n", every=0.001),
        Unreachable,
        "took longer than 0.4 s",
    ),
    "body without end": (drips(HEAD + b"\r\n", b"x" * 60_000, every=0), BadAnswer, "larger than 0.0953674 MB"),
    "says it is too large": (says(HEAD + b"Content-Length: 200000\r\n\r\n"), BadAnswer, "larger than 0.0953674 MB"),
    "gzip bomb": (reply(200, BOMB, Content_Encoding="gzip"), BadAnswer, "larger than 0.0953674 MB"),
    "bomb of many members": (
        reply(200, gzip.compress(b"\0" * 60_000) * 9, Content_Encoding="gzip"),
        BadAnswer,
        "larger than 0.0953674 MB",
    ),
    "deflate bomb": (
        reply(200, zlib.compress(b"\0" * 300_000), Content_Encoding="deflate"),
        BadAnswer,
        "larger than 0.0953674 MB",
    ),
    "nested gzip": (
        reply(200, gzip.compress(BOMB), Content_Encoding="gzip, gzip"),
        BadAnswer,
        "compressed in a way that was not asked for",
    ),
    "brotli": (reply(200, b"\x8b", Content_Encoding="br"), BadAnswer, "compressed in a way that was not asked for"),
    "zstd": (reply(200, b"\x28\xb5", Content_Encoding="zstd"), BadAnswer, "compressed in a way that was not asked for"),
    "gzip cut off": (
        reply(200, GZIPPED[:-9], Content_Encoding="gzip"),
        BadAnswer,
        "the answer was cut off, or is not compressed as it says",
    ),
    "gzip of nothing": (
        reply(200, b"", Content_Encoding="gzip"),
        BadAnswer,
        "the answer was cut off, or is not compressed as it says",
    ),
    "deflate cut off": (
        reply(200, zlib.compress(BODY)[:-5], Content_Encoding="deflate"),
        BadAnswer,
        "the answer was cut off, or is not compressed as it says",
    ),
    "gzip that is none": (
        reply(200, b"secret text", Content_Encoding="gzip"),
        BadAnswer,
        "the answer was cut off, or is not compressed as it says",
    ),
    "shorter than it says": (says(HEAD + b"Content-Length: 99\r\n\r\nshort"), BadAnswer, "the answer was cut off"),
    "chunks cut off": (
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
        BadAnswer,
        "the answer was cut off",
    ),
    "two lengths": (
        says(HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nshort"),
        BadAnswer,
        "the answer is not proper HTTP",
    ),
    "negative length": (says(HEAD + b"Content-Length: -5\r\n\r\nshort"), BadAnswer, "the answer is not proper HTTP"),
    "not HTTP": (says(b"220 mail.example ESMTP\r\n"), BadAnswer, "the answer is not proper HTTP"),
    "huge header": (says(HEAD + b"X-A: " + b"x" * 100_000 + b"\r\n\r\n"), BadAnswer, "the answer is not proper HTTP"),
    "endless headers": (drips(HEAD, b"X-A: b\r\n" * 50, every=0), BadAnswer, "the answer is not proper HTTP"),
    "hangs up": (says(b""), Unreachable, "the server closed the connection without an answer"),
    "part of it": (reply(206, b"part"), BadAnswer, "HTTP 206, which nobody asked for"),
    "use a proxy": (reply(305, Location="http://127.0.0.1/"), BadAnswer, "HTTP 305, which nobody asked for"),
    "304 to nothing": (
        says(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        BadAnswer,
        "HTTP 304 (not modified) although nothing was said of an earlier answer",
    ),
    "redirect to nowhere": (reply(302), BadAnswer, "HTTP 302 without saying where to"),
    "redirect in a circle": (redirect("/"), BadAnswer, "redirects in a circle; perhaps the site insists on cookies"),
    "redirect to a file": (redirect("file:///etc/passwd"), Refused, "only http and https are followed"),
    "redirect to data": (redirect("data:text/plain,x"), Refused, "only http and https are followed"),
    "redirect to gopher": (redirect("gopher://127.0.0.1:70/"), Refused, "only http and https are followed"),
    "redirect to half an address": (redirect("http://[::1]@"), Refused, "not a link that can be followed"),
    "redirect to a letter in an address": (redirect("//[::1ß]"), Refused, "not a link that can be followed"),
    "redirect with a password": (
        redirect("http://u:p@127.0.0.1/"),
        Refused,
        "links with a user name or password are not followed",
    ),
    "redirect to metadata": (
        redirect("http://169.254.169.254/latest/"),
        Refused,
        "the address is not on the public Internet (WATCHFLOOR_ALLOW_ADDRESSES opens private networks)",
    ),
    "redirect to an integer": (
        redirect("http://2130706433/"),
        Refused,
        "the host is a number, but not an address in its usual form",
    ),
    "404": (reply(404, b"secret"), HttpStatus, "HTTP 404"),
}


@pytest.mark.parametrize("name", HOSTILE)
@on_loop
async def test_a_hostile_answer_ends_in_plain_words(name: str) -> None:
    answer, kind, reason = HOSTILE[name]
    began = time.monotonic()
    assert await outcome_of(answer) == (kind, reason)
    assert time.monotonic() - began < 5 * QUICK


@on_loop
async def test_the_door_is_unharmed_by_what_went_before() -> None:
    answers: dict[str, bytes | Script] = {"/": reply(200, BOMB, Content_Encoding="gzip"), "/good": reply(200, BODY)}
    async with Server(answers) as server, a_door(caps=SMALL) as door:
        await failure(door, server.url())
        assert (await door.get(server.url("/good"))).body == BODY


@on_loop
async def test_a_gigabyte_in_a_megabyte_costs_little_memory() -> None:
    packer, block = zlib.compressobj(9, wbits=31), b"\0" * (1 << 20)
    bomb = b"".join(packer.compress(block) for _ in range(256)) + packer.flush()
    async with Server({"/": reply(200, bomb, Content_Encoding="gzip")}) as server, a_door(deadline=10) as door:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        error = await failure(door, server.url(), want="feed")
        assert error.reason == "larger than 10 MB"
        assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 60


@on_loop
async def test_the_deadline_holds_for_all_redirects_together() -> None:
    hops: dict[str, bytes | Script] = {f"/{n}": redirect(f"/{n + 1}") for n in range(5)}
    async with Server({**hops, "/5": reply(200, BODY)}, takes=QUICK / 4) as server, a_door() as door:
        assert (await failure(door, server.url("/0"))).reason == "took longer than 0.4 s"


@on_loop
async def test_nobody_there_in_plain_words() -> None:
    async with a_door(resolver=Names()) as door:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
            errors = [await failure(door, url) for url in (closed, "http://nowhere.example/")]
    assert [(type(error), error.reason) for error in errors] == [
        (Unreachable, "connection refused: nothing answers there"),
        (Unreachable, "host name not found"),
    ]


@on_loop
async def test_tls_that_is_none() -> None:
    async with Server(greeting=b"220 mail.example ESMTP\r\n") as server, a_door() as door:
        error = await failure(door, server.url().replace("http:", "https:"))
        assert (type(error), error.reason[:20]) == (Unreachable, "no secure connection")


@on_loop
async def test_a_name_that_can_be_none_in_plain_words() -> None:
    async with a_door() as door:
        assert (await failure(door, f"http://{'a' * 70}.example/")).reason == "host name not found"


# -- redirects --------------------------------------------------------------------------------------------------------


@on_loop
async def test_five_redirects_are_followed_and_no_sixth() -> None:
    hops: dict[str, bytes | Script] = {f"/{n}": redirect(f"{n + 1}#top") for n in range(6)}
    async with Server({**hops, "/6": reply(200, b"end")}) as server, a_door() as door:
        answer = await door.get(server.url("/1"))
        assert (answer.final_url, answer.body, answer.permanent_url) == (server.url("/6"), b"end", None)
        assert (await failure(door, server.url("/0"))).reason == "more than 5 redirects"


@pytest.mark.parametrize(
    ("statuses", "leads_to"),
    [((301,), "/1"), ((308, 301), "/2"), ((301, 302), "/1"), ((302, 301), None), ((307,), None), ((303,), None)],
)
@on_loop
async def test_where_permanent_redirects_alone_led(statuses: tuple[int, ...], leads_to: str | None) -> None:
    hops = {f"/{n}": redirect(f"/{n + 1}", status) for n, status in enumerate(statuses)}
    async with Server({**hops, f"/{len(statuses)}": reply(200, b"end")}) as server, a_door() as door:
        answer = await door.get(server.url("/0"))
        assert answer.permanent_url == (leads_to and server.url(leads_to))


# -- addresses --------------------------------------------------------------------------------------------------------

FORBIDDEN = [
    "127.0.0.1",
    "127.255.0.3",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[3fff::1]",
]
SPELT_ODDLY = ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "①②⑦.0.0.1", "localhost"]


@pytest.mark.parametrize("host", [*FORBIDDEN, *SPELT_ODDLY, "LOCALHOST.", "a.localhost"])
@on_loop
async def test_no_address_of_the_inside_is_connected(host: str) -> None:
    async with Server({"/": reply(200, b"secret")}) as server, a_door(allow_addresses=()) as door:
        error = await failure(door, f"http://{host}:{server.port}/", named_by_user=True)
        assert (type(error), server.connections) == (Refused, 0)


@pytest.mark.parametrize("host", FORBIDDEN)
@on_loop
async def test_no_name_leads_to_one(host: str) -> None:
    address = host.strip("[]").replace("%25", "%")
    names = Names(evil=[[address, address]])
    async with Server({"/": reply(200, b"secret")}) as server, a_door(allow_addresses=(), resolver=names) as door:
        error = await failure(door, server.url(host="evil.example"), named_by_user=True)
        assert (type(error), server.connections) == (Refused, 0)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
@on_loop
async def test_a_public_address_is_tried(address: str) -> None:
    async with a_door(allow_addresses=(), resolver=Names(good=[[address]])) as door:
        error = await failure(door, "http://good.example/")  # the tests' own guard keeps it from leaving
        assert (type(error), error.reason) == (Unreachable, "no connection: the network or the host is down")


@on_loop
async def test_allowing_a_network_opens_nothing_else() -> None:
    async with Server({"/": reply(200, b"mine")}) as mine, Server({"/": reply()}, host="127.0.0.2") as other:
        async with a_door(allow_addresses=(ip_network("127.0.0.1/32"),)) as door:
            assert (await door.get(mine.url())).body == b"mine"
            for url in (other.url(), f"http://[::ffff:127.0.0.1]:{mine.port}/"):
                assert type(await failure(door, url)) is Refused
        assert (mine.connections, other.connections) == (1, 0)


@pytest.mark.parametrize("answers", [[["127.0.0.1"], ["127.0.0.2"]], [["127.0.0.2", "127.0.0.1"]]])
@on_loop
async def test_a_name_of_two_minds_never_leads_inside(answers: list[list[str]]) -> None:
    """Rebinding (harmless when looked at, inside when connected), and both at once: one lookup, one connection."""
    names, only_mine = Names(evil=answers), (ip_network("127.0.0.1/32"),)
    async with Server({"/": reply(200, b"mine")}) as mine, Server(host="127.0.0.2", port=mine.port) as inside:
        async with a_door(allow_addresses=only_mine, resolver=names) as door:
            assert (await door.get(mine.url(host="evil.example"))).body == b"mine"
        assert (names.lookups, mine.connections, inside.connections) == (1, 1, 0)


@on_loop
async def test_a_redirect_inside_is_refused() -> None:
    async with Server({"/": reply(200, b"secret")}, host="127.0.0.2") as inside:
        async with Server({"/": redirect(inside.url()), "/name": redirect(inside.url(host="evil.example"))}) as server:
            names = Names(evil=[["127.0.0.2"]])
            async with a_door(allow_addresses=(ip_network("127.0.0.1/32"),), resolver=names) as door:
                for path in ("/", "/name"):
                    error = await failure(door, server.url(path))
                    assert (type(error), error.url) == (Refused, server.url(path))
        assert inside.connections == 0


@on_loop
async def test_an_odd_port_is_asked_only_where_a_source_names_it() -> None:
    async with a_door(allow_addresses=(), resolver=Names(good=[["8.8.8.8"]])) as door:
        linked = await failure(door, "http://good.example:8080/")
        named = await failure(door, "http://good.example:8080/", named_by_user=True)
    assert (type(linked), linked.reason) == (Refused, "port 8080 is only asked where a source names it")
    assert type(named) is Unreachable


NO_LINKS = [
    "ftp://a.example/",
    "//a.example/",
    "feed",
    "http://",
    "http://a b/",
    "http://a.example/\r\nHost: b",
    "http://[::1",
    "http://a.example:99999/",
    "http://a\\@127.0.0.1/",
    "http://u@a.example/",
    "http://a.example/" + "a" * 9000,
]


@pytest.mark.parametrize("url", NO_LINKS)
@on_loop
async def test_what_is_no_link_is_refused(url: str) -> None:
    async with a_door(resolver=Names()) as door:
        assert type(await failure(door, url)) is Refused


# -- an explicit proxy ------------------------------------------------------------------------------------------------


@on_loop
async def test_a_proxy_is_the_one_address_that_is_connected() -> None:
    async with Server({"http://good.example/feed": reply(200, b"by proxy")}) as proxy:
        names = Names()
        async with a_door(allow_addresses=(), proxy=proxy.url(), resolver=names) as door:
            assert (await door.get("http://good.example/feed")).body == b"by proxy"
            inside = ("http://10.0.0.1/", "http://[::1]/", "http://localhost/", "http://127.1/", "http://a.example:22/")
            assert {type(await failure(door, url)) for url in inside} == {Refused}
    assert (proxy.targets, names.lookups) == (["http://good.example/feed"], 0)


@pytest.mark.parametrize("proxy", ["proxy.example:3128", "socks5://proxy.example", "http://[", "http://"])
def test_a_proxy_that_is_none_is_said_at_once(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="WATCHFLOOR_PROXY"):
        a_door(proxy=proxy)


@on_loop
async def test_the_environment_s_proxy_is_ignored() -> None:
    async with Server({}) as proxy, Server({"/": reply(200, b"direct")}) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("http_proxy", proxy.url())
            async with a_door() as door:
                assert (await door.get(server.url())).body == b"direct"
        assert proxy.connections == 0


# -- validators -------------------------------------------------------------------------------------------------------

ODD_ETAGS = ['"plain"', 'W/"weak"', "unquoted", '""', '"with, comma"', '"a\tb"', '"grün"', '"\\"', f'"{"x" * 3000}"']


@pytest.mark.parametrize("etag", ODD_ETAGS)
@on_loop
async def test_an_etag_goes_back_byte_for_byte(etag: str) -> None:
    async with Server({"/": by_validator(etag, BODY)}) as server, a_door() as door:
        first = await door.get(server.url())
        second = await door.get(server.url(), etag=first.headers["etag"], last_modified="Tue,  24 Nov 2026 1:0:0 GMT")
        assert (first.status, second.status, second.body) == (200, 304, b"")
        assert server.log[1].header("If-Modified-Since") == b"Tue,  24 Nov 2026 1:0:0 GMT"


@pytest.mark.parametrize("tag", [b'"\xff\xfe"', b'"\x01\x02"', b'"\x7f"'])
@on_loop
async def test_an_etag_that_cannot_be_kept_is_not_invented(tag: bytes) -> None:
    async with Server({"/": reply(200, BODY, ETag=tag)}) as server, a_door() as door:
        assert "etag" not in (await door.get(server.url())).headers
        await door.get(server.url(), etag='"a"\r\nX-Evil: 1')
        assert [seen.header("If-None-Match") for seen in server.log] == [None, None]


# -- headers, pure ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta()),
        ("99999999999999999999", timedelta(days=7)),
        ("9" * 5000, timedelta(days=7)),
        ("Tue, 24 Nov 2026 13:00:00 GMT", timedelta(hours=1)),
        ("Tue, 24 Nov 2026 14:00:00 +0100", timedelta(hours=1)),
        ("Tue, 24 Nov 2026 11:00:00 GMT", timedelta()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", timedelta(days=7)),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("", None),
    ],
)
def test_retry_after(value: str, wait: timedelta | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == wait


@pytest.mark.parametrize(
    ("headers", "lifetime"),
    [
        ({}, None),
        ({"cache-control": "public, max-age=600"}, timedelta(minutes=10)),
        ({"cache-control": "MAX-AGE = 600", "age": "500"}, timedelta(seconds=100)),
        ({"cache-control": "max-age=600", "age": "900"}, timedelta()),
        ({"cache-control": "max-age=315360000"}, timedelta(days=7)),
        ({"cache-control": "s-maxage=600"}, None),
        ({"cache-control": "max-age=60", "expires": "Tue, 24 Nov 2026 14:00:00 GMT"}, timedelta(minutes=1)),
        ({"cache-control": "no-cache", "expires": "Tue, 24 Nov 2026 14:00:00 GMT"}, None),
        ({"expires": "Tue, 24 Nov 2026 14:00:00 GMT"}, timedelta(hours=2)),
        (
            {"expires": "Tue, 24 Nov 2026 14:00:00 GMT", "date": "Tue, 24 Nov 2026 13:30:00 GMT"},
            timedelta(minutes=30),
        ),
        ({"expires": "0"}, None),
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, timedelta()),
    ],
)
def test_cache_lifetime(headers: dict[str, str], lifetime: timedelta | None) -> None:
    assert cache_lifetime(headers, NOW) == lifetime


def test_the_user_agent_names_somebody_to_complain_to() -> None:
    page = "https://github.com/watchfloor/watchfloor"
    assert user_agent(None) == f"Watchfloor/0.1.0 (+{page})"
    assert user_agent("desk@example.org") == f"Watchfloor/0.1.0 (+{page}; mailto:desk@example.org)"
    assert user_agent("https://example.org/bot") == f"Watchfloor/0.1.0 (+{page}; https://example.org/bot)"
    for bad in ("a\r\nX: y", "me (home)", "größe@example.org"):
        with pytest.raises(ConfigurationError):
            user_agent(bad)
