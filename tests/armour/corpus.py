"""Hostile inputs by name, made by code: what a server on the open web may answer to a question for a feed or a page.

every_feed()   answers to a question for a feed      every_page()   ... for a page      ROBOTS   what stands before one
is_heavy(name)   whether it holds a parser, or the line, until it is given up
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from html import escape

from tests.servers import Script, drips, redirect, reply, says

Answer = bytes | Script
HEAD = b"HTTP/1.1 200 OK\r\n"
DAY = "Tue, 24 Nov 2026 10:00:00 GMT"
GOOD = "Ministers meet on missiles"
LINK = "https://paper.example/a"
KB, MB = 1000, 1_000_000


# -- building blocks --------------------------------------------------------------------------------------------------


def rss(
    inside: str = "", *, title: str = GOOD, link: str = LINK, date: str = DAY, more: str = "", dtd: str = ""
) -> bytes:
    """A feed of one item, any part of which may be hostile; `title`, `link` and `date` go in as they are."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{dtd}<rss version="2.0"><channel><title>Paper</title>'
        f"<link>https://paper.example/</link>{more}<item><title>{title}</title><link>{link}</link>"
        f"<pubDate>{date}</pubDate>{inside}</item></channel></rss>"
    ).encode("utf-8", "surrogatepass")


def atom(inside: str = "", *, title: str = GOOD, link: str = LINK, date: str = "2026-11-24T10:00:00Z") -> bytes:
    return (
        f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Paper</title><entry><title>{title}'
        f'</title><link href="{link}"/><id>{link}</id><updated>{date}</updated>{inside}</entry></feed>'
    ).encode("utf-8", "surrogatepass")


def json_feed(**item: object) -> bytes:
    whole = {"id": "1", "url": LINK, "title": GOOD, "date_published": "2026-11-24T10:00:00Z"} | item
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Paper", "items": [whole]}).encode()


def page(body: str = "<p>A story.</p>", head: str = "") -> bytes:
    return f'<!doctype html><html lang="en"><head><title>{GOOD}</title>{head}</head><body>{body}</body></html>'.encode(
        "utf-8", "surrogatepass"
    )


def article(inside: str = "") -> str:
    return (
        "<article><h1>A headline</h1>"
        + "<p>The ministers met and talked of missiles at length.</p>" * 5
        + inside
        + "</article>"
    )


def xml(body: bytes, **headers: str | bytes) -> bytes:
    return reply(200, body, **{"Content_Type": "application/xml", **headers})


def html(body: bytes, **headers: str | bytes) -> bytes:
    return reply(200, body, **{"Content_Type": "text/html", **headers})


# -- what is hostile, whichever document it stands in -----------------------------------------------------------------

CHARACTERS = {
    "nul": "\x00", "bell": "\x07", "escape": "\x1b[31m", "delete": "\x7f", "c1": "\x85\x9b", "surrogate": "\ud800",
    "surrogate pair halves": "\udfff\ud800", "private": "\ue000", "override": "\u202e", "isolate": "\u2066",
    "letter mark": "\u061c", "zero width": "\u200b\u200d", "bom": "\ufeff", "tag": "\U000e0041", "line separator": "\u2028",
    "noncharacter": "\ufffe", "far noncharacter": "\U0004ffff", "last": "\U0010ffff", "combining": "a" + "\u0301" * 5000,
    "mixed combining": "a" + "\u0301\u0323" * 3000, "zalgo": "".join(chr(0x300 + n % 0x70) for n in range(4000)),
    "crlf": "a\r\nBcc: all@paper.example", "newlines": "\n" * 5000, "tabs": "\t" * 5000, "ligature": "\ufdfa" * 2000,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 500,
}  # fmt: skip
REFERENCES = [
    "#0", "#1", "#x0", "#8", "#11", "#31", "#127", "#128", "#x9B", "#xD800", "#xDBFF", "#xDFFF", "#xFFFE", "#xFFFF", "#x1FFFF",
    "#x110000", "#xFFFFFFFF", "#99999999999999", "#x", "#", "#xG", "#-1", "#1e5", "bogus", "nbsp", "amp;amp;amp", "lt;script&gt",
    "#x202E", "#xE0041", "#10", "#13",
]  # fmt: skip
PAYLOADS = {
    "script": "<script>alert(1)</script>", "image": "<img src=x onerror=alert(1)>", "vector": "<svg onload=alert(1)>",
    "comment": "<!--><img src=x onerror=alert(1)>-->", "link": '<a href="java&#10;script:alert(1)">x</a>', "style": "<style>*{}</style>",
    "frame": "<iframe src=//evil.example></iframe>", "form": "<form action=//evil.example><input>", "base": "<base href=//evil.example>",
    "meta": "<meta http-equiv=refresh content=0>", "slack": "<!channel> <@U1> <https://evil.example|bank>", "formula": "=HYPERLINK(1)",
    "template": "{{ 7*7 }} {% raw %} ${7*7} #{7*7}", "sql": "'); DROP TABLE articles; --", "shell": "$(reboot) `reboot` ; reboot |",
    "path": "../../../../etc/passwd", "format": "%s%s%n {0} {__class__}", "markdown": "[x](javascript:alert(1)) ![x](//evil.example)",
    "rich": "[bold red]x[/] [link=file:///etc/passwd]y[/link]", "ansi": "\x1b]8;;http://evil.example\x07x\x1b]8;;\x07",
    "header": "x\r\nSubject: y\r\n\r\nz", "quote": "\"'`\\", "entity": "&lt;script&gt;&amp;lt;b&amp;gt;", "close": "]]></title></item></channel></rss>",
}  # fmt: skip
LINKS = {
    "javascript": "javascript:alert(1)", "split javascript": "java\nscript:alert(1)", "data": "data:text/html,x", "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:70/_x", "ftp": "ftp://paper.example/", "mailto": "mailto:x@paper.example", "blob": "blob:https://x/1",
    "credentials": "http://user:secret@paper.example/", "loopback": "http://169.254.169.254/latest/meta-data/", "integer": "http://2130706433/",
    "hex": "http://0x7f000001/", "octal": "http://0177.0.0.1/", "short": "http://10.1/", "mapped": "http://[::ffff:10.0.0.1]/",
    "nat64": "http://[64:ff9b::a00:1]/", "open bracket": "http://[::1", "no host": "http:///x", "odd port": "http://paper.example:22/",
    "wrong port": "http://paper.example:99999/", "no port": "http://paper.example:/", "blank": "http://paper example/", "empty": "",
    "only blanks": "   ", "fragment": "#", "question": "?", "dots": "../../../../..", "backslashes": "http:\\\\paper.example\\x",
    "at": "http://good.example@evil.example/", "backslash at": "http://good.example\\@evil.example/", "quote": 'http://paper.example/"><b>',
    "idn": "http://раураl.example/", "long label": "http://" + "a" * 64 + ".example/", "long host": "http://" + "a." * 200 + "example/",
    "long": "http://paper.example/" + "a" * 5000, "very long": "http://paper.example/?" + "a=1&" * 50_000, "nul": "http://paper.example/\x00",
    "override": "http://paper.example/\u202egpj.exe", "surrogate": "http://paper.example/\ud800", "percent": "http://paper.example/%zz%00%0d%0a",
    "crlf": "http://paper.example/%0d%0aHost:%20evil", "many slashes": "http://paper.example" + "/" * 2000, "unicode dot": "http://paper。example/",
    "tracking": "http://paper.example/?utm_source=" + "x" * 1000, "twice": "http://paper.example/http://paper.example/",
    "scheme in capitals": "HTTP://PAPER.EXAMPLE/", "relative scheme": "//evil.example/", "tel": "tel:112", "about": "about:blank",
    "zone": "http://[fe80::1%25eth0]/", "wss": "wss://paper.example/", "view": "view-source:http://paper.example/",
}  # fmt: skip
DATES = [
    "", " ", "now", "yesterday", "0", "-1", "1700000000", "1700000000000", "99999999999999999999", "1e400", "NaN", "2026", "2026-13-45",
    "2026-02-30T10:00:00Z", "2026-W47-6", "20261121T100000Z", "2026-11-24T25:61:61Z", "2026-11-24T24:00:00Z", "2026-11-24T10:00:00+9999",
    "2026-11-24T10:00:00-25:00", "0000-00-00T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "10000-01-01", "1969-12-31",
    "2199-01-01T00:00:00Z", "Tue, 31 Feb 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 CEST", "Tue, 24 Nov 2026 10:00:00 IST",
    "Tue, 24 Nov 26 10:00 XYZ", "Tue, 24 Nov 99999 10:00:00 GMT", "24/11/2026", "11.24.2026", "24 ноября 2026", "٢٠٢٦-١١-٢٤", "二〇二六年",
    "<b>2026-11-24</b>", "2026-11-24T10:00:00Z" + "0" * 100_000, "1" * 100_000, "Tue, " * 20_000, "2026-11-24T10:00:00.123456789123Z", "\x00",
    "24 Nov 2026 10:00:00 +" + "9" * 500, "2026-11-24t10:00:00z", "Tuesday, 24-Nov-26 10:00:00 GMT", "Tue Nov 24 10:00:00 2026",
]  # fmt: skip
CHARSETS = ["utf-8", "iso-8859-1", "windows-1251", "utf-16", "utf-7", "unicode_escape", "rot13", "base64", "zlib", "idna", "undefined",
            "bogus", "\x00", "utf-8\r\nX: y", "a" * 5000, "utf-32", "cp037", "hz", "iso-2022-jp", "mbcs"]  # fmt: skip
WRITTEN = ["utf-8", "utf-16", "utf-16-le", "windows-1251", "koi8-r", "shift_jis", "utf-32", "cp037"]
WRONG_TYPES: dict[str, object] = {
    "null": None, "true": True, "number": 1e308, "list": ["x", None, 3], "object": {"a": {"b": []}}, "deep": [[[[[[[[[[]]]]]]]]]],
    "long": "x" * 100_000, "surrogate": "\ud800", "nul": "a\x00b", "html": "<script>alert(1)</script>",
}  # fmt: skip


# -- feeds ------------------------------------------------------------------------------------------------------------


def feeds() -> Iterator[tuple[str, Answer]]:
    """Every hostile answer to a question for a feed."""
    for name, body in feed_bodies():
        yield name, xml(body)
    yield from sized_feeds()
    yield from headers()
    yield from redirects()
    yield from inside_knowledge()


def feed_bodies() -> Iterator[tuple[str, bytes]]:
    """Documents that are no good, or no feed."""
    for name, text in CHARACTERS.items():
        yield f"title: {name}", rss(title=text)
        yield f"summary: {name}", rss(f"<description>{escape(text)}</description>")
        yield f"guid: {name}", rss(f"<guid>{text}</guid>")
        yield f"atom title: {name}", atom(title=text)
    for reference in REFERENCES:
        yield f"reference in title: {reference}", rss(title=f"a&{reference};b")
        yield f"reference in link: {reference}", rss(link=f"http://paper.example/&{reference};")
        yield f"reference in text: {reference}", atom(f'<content type="html">a&amp;{reference};b</content>')
    for name, text in PAYLOADS.items():
        yield f"payload in title: {name}", rss(title=text)
        yield f"payload escaped: {name}", rss(title=escape(text), inside=f"<description>{escape(text)}</description>")
        yield f"payload in author: {name}", rss(f"<author>{escape(text)}</author><category>{escape(text)}</category>")
        yield f"payload as cdata: {name}", rss(f"<description><![CDATA[{text}]]></description>")
    for name, link in LINKS.items():
        yield f"link: {name}", rss(link=escape(link))
        yield f"guid as link: {name}", rss(f"<guid>{escape(link)}</guid>", link="")
        yield f"atom link: {name}", atom(link=escape(link, quote=True))
    for number, date in enumerate(DATES):
        yield f"date {number}: {date[:20]!r}", rss(date=date)
        yield f"atom date {number}: {date[:20]!r}", atom(date=date)
    yield from entities()
    yield from broken_feeds()
    yield from json_feeds()
    yield from ((f"insider: {name}", body) for name, body in INSIDE_FEEDS.items())
    for field in ("ttl", "sy:updatePeriod", "sy:updateFrequency", "skipHours", "skipDays", "language", "cloud"):
        for value in ("", "-1", "0", "1e9", "9" * 400, "NaN", "<hour>99</hour>", "hourly", "\u0663"):
            yield f"{field}: {value[:12]!r}", rss(more=f"<{field}>{value}</{field}>")
    for value in (
        "",
        "x" * 100,
        "x" * 5000,
        MB * "x",
        "http://paper.example/",
        "javascript:alert(1)",
        "\ud800",
        "same",
    ):
        yield f"ids: {len(value)} {value[:12]!r}", rss(f"<guid>{value}</guid></item><item><guid>{value}</guid>")
    for declared in CHARSETS:
        text = "Министры" if declared != "cp037" else "Ministers"
        for written in WRITTEN[:4]:
            document = f'<?xml version="1.0" encoding="{declared[:40]}"?><rss><channel><item><title>{text}</title></item></channel></rss>'
            yield f"declared {declared[:12]!r}, written {written}", document.encode(written, "replace")


def entities() -> Iterator[tuple[str, bytes]]:
    """Documents that multiply, reach out, or refer to themselves."""
    for depth in (3, 6, 9, 12):
        levels = "".join(f"<!ENTITY e{n} '" + f"&e{n - 1};" * 10 + "'>" for n in range(1, depth))
        yield f"laughs of {depth}", rss(title=f"&e{depth - 1};", dtd=f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]>')
    for size, times in ((1000, 100), (1000, 1000), (10_000, 1000), (100_000, 90), (100_000, 10_000)):
        dtd = f'<!DOCTYPE x [<!ENTITY q "{"q" * size}">]>'
        yield f"quadratic {size} x {times}", rss(f"<description>{'&q;' * times}</description>", dtd=dtd)
        yield (
            f"quadratic items {size} x {times}",
            rss(f"<description>{'&q;' * 9}</description></item><item>" * (times // 9), dtd=dtd),
        )
    for name, entity in {
        "file": 'SYSTEM "file:///etc/passwd"', "http": 'SYSTEM "http://127.0.0.1/"', "public": 'PUBLIC "x" "http://127.0.0.1/"',
        "itself": '"&x;"', "backslash": '"C:\\data\\n\\d"', "open": '"', "parameter": '"%p;"', "cdata": '"<![CDATA[x"',
    }.items():  # fmt: skip
        yield f"entity: {name}", rss(title="&x;", dtd=f"<!DOCTYPE r [<!ENTITY x {entity}>]>")
    yield "parameter entity", rss(dtd='<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>')
    yield "external dtd", rss(dtd='<!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd">')
    yield (
        "ten thousand entities",
        rss(dtd="<!DOCTYPE r [" + "".join(f"<!ENTITY n{n} 'v'>" for n in range(10_000)) + "]>"),
    )


def broken_feeds() -> Iterator[tuple[str, bytes]]:
    """Documents that end early, or are something else."""
    whole = {
        "rss": rss("<description>x</description>" * 3),
        "atom": atom("<summary>x</summary>"),
        "json": json_feed(summary="x"),
    }
    for dialect, body in whole.items():
        for tenth in range(1, 10):
            yield f"{dialect} cut at {tenth}0 %", body[: len(body) * tenth // 10]
        yield f"{dialect} twice", body * 2
        yield f"{dialect} after rubbish", b"\x00\xff rubbish " + body
        yield f"{dialect} backwards", body[::-1]
        yield f"{dialect} with nul bytes", b"\x00".join(body[n : n + 40] for n in range(0, len(body), 40))
    yield from {
        "nothing": b"", "blanks": b" \r\n\t" * 1000, "nul bytes": b"\x00" * 10_000, "byte order mark alone": codecs.BOM_UTF8,
        "half a mark": b"\xff", "page": page(), "picture": b"\x89PNG\r\n\x1a\n" + b"\x00" * 5000, "pdf": b"%PDF-1.7\n" + b"x" * 5000,
        "zip": b"PK\x03\x04" + b"\x00" * 5000, "gzip undeclared": gzip.compress(rss()), "text": b"just words " * 1000,
        "random": bytes((n * 7919) % 256 for n in range(50_000)), "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "opml": b"<opml><body><outline xmlUrl='http://x/'/></body></opml>", "no channel": b"<rss version='2.0'/>",
        "no items": b"<rss version='2.0'><channel/></rss>", "empty items": b"<rss version='2.0'><channel><item/><item/></channel></rss>",
        "sitemap": b"<urlset><url><loc>http://x/</loc></url></urlset>", "wrong case": rss().upper(), "xslt": b"<?xml-stylesheet href='x'?>" + rss(),
        "xinclude": rss('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
        "unbound prefix": rss("<foo:bar>x</foo:bar>"), "thousand namespaces": rss("".join(f"<a{n}:b xmlns:a{n}='u{n}'/>" for n in range(1000))),
        "xml base": atom().replace(b"<entry>", b"<entry xml:base='file:///etc/'>"), "html in text mode": atom('<content type="text"><b>x</b></content>'),
        "base64 content": atom('<content type="application/pdf" mode="base64">AAAA</content>'), "out of line": atom('<content src="file:///etc/passwd"/>'),
        "enclosures": rss("".join(f'<enclosure url="http://x/{n}" length="{10**30}"/>' for n in range(2000))),
        "georss": rss('<georss:polygon xmlns:georss="http://www.georss.org/georss">' + "1 " * 9999 + "</georss:polygon>"),
        "media": rss('<media:group xmlns:media="http://search.yahoo.com/mrss/">' * 500),
        "categories": rss("<category>x</category>" * 20_000), "titles": rss("<title>x</title>" * 20_000), "links": rss("<link>x</link>" * 20_000),
        "dates": rss("<pubDate>x</pubDate>" * 20_000), "processing": b"<?x " + b"y" * 100_000 + b"?>" + rss(), "open cdata": rss("<![CDATA[" * 1000),
        "comments": rss("<!-- x -->" * 20_000), "huge name": rss(f"<{'n' * 100_000}/>"), "huge attribute": rss(f'<x y="{"z" * MB}"/>'),
    }.items()  # fmt: skip


def json_feeds() -> Iterator[tuple[str, bytes]]:
    """JSON whose values are of other kinds than promised."""
    fields = (
        "id",
        "url",
        "external_url",
        "title",
        "summary",
        "content_html",
        "content_text",
        "date_published",
        "authors",
        "author",
        "language",
    )
    for field in fields:
        for kind, value in WRONG_TYPES.items():
            yield f"json {field}: {kind}", json_feed(**{field: value})
    for kind, value in WRONG_TYPES.items():
        yield f"json items: {kind}", json.dumps({"version": "https://jsonfeed.org/version/1", "items": value}).encode()
        yield (
            f"json item: {kind}",
            json.dumps({"version": "https://jsonfeed.org/version/1", "items": [value, value]}).encode(),
        )
    yield "json nested", b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "json objects nested", b'{"items":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}"
    yield "json number", b'{"items":[' + b"9" * 100_000 + b"]}"
    yield "json items twice", json_feed()[:-1] + b',"items":[]}'
    yield "json infinity", b'{"items":[{"id":Infinity,"title":NaN}]}'
    yield "json many", b'{"items":[' + b"{}," * 20_000 + b"{}]}"


def sized_feeds() -> Iterator[tuple[str, Answer]]:
    """What costs a parser much time or memory for few bytes."""
    for name, (sizes, make) in COSTLY.items():
        for size in sizes:
            yield f"costly: {name} x {size}", xml(make(size))


COSTLY: dict[str, tuple[tuple[int, ...], Callable[[int], bytes]]] = {
    "author dots": ((5000, 20_000), lambda n: rss(f"<author>{'a.' * n}@</author>")),
    "author ats": ((5000, 20_000), lambda n: rss(f"<author>{'a@' * n}</author>")),
    "author brackets": ((5000, 20_000), lambda n: rss(f"<author>{'(' * n}a@b.c</author>")),
    "nested links": ((1000, 30_000), lambda n: rss(f"<description>{escape('<a>' * n)}</description>")),
    "nested elements": ((1000, 30_000), lambda n: rss("<a>" * n + "</a>" * n)),
    "nested items": ((100, 5000), lambda n: rss("<item>" * n + "</item>" * n)),
    "open comments": ((3000, 30_000), lambda n: rss(f"<description>{escape('<!--' * n)}</description>")),
    "attributes": ((3000, 20_000), lambda n: rss("<x " + " ".join(f"a{i}=''" for i in range(n)) + "/>")),
    "html attributes": (
        (3000, 20_000),
        lambda n: rss(f"<description>{escape('<b ' + 'a=1 ' * n + '>')}</description>"),
    ),
    "items": (
        (1000, 9000),
        lambda n: rss("".join(f"<guid>{i}</guid></item><item><title>{i}</title>" for i in range(n))),
    ),
    "plain text": ((MB, 9 * MB), lambda n: rss(f"<description>{'word ' * (n // 5)}</description>")),
    "tags": ((10_000, 200_000), lambda n: rss(f"<description>{escape('<b>x</b>' * n)}</description>")),
    "too large": ((11 * MB,), lambda n: rss(f"<description>{'x' * n}</description>")),
    "brackets": ((10_000, 200_000), lambda n: rss(f"<description>{escape('<' * n)}</description>")),
    "ampersands": ((10_000, 200_000), lambda n: rss(f"<description>{escape('&' * n)}</description>")),
    "doctypes": ((1000, 20_000), lambda n: b"<!DOCTYPE x [" + b"<!ELEMENT a (b)>" * n + b"]>" + rss()),
    "broken tags": ((1000, 20_000), lambda n: b"<rss><channel>" + b"<item><title>x</titel>" * n),
    "urls": ((1000, 20_000), lambda n: rss(f"<description>{'http://a.b/?' * n}</description>")),
}


def headers() -> Iterator[tuple[str, Answer]]:
    """A good feed, or none, behind hostile headers."""
    good = rss()
    for charset in CHARSETS:
        raw = charset.encode("utf-8")
        if not {b"\r", b"\n", b"\0"} & {bytes([one]) for one in raw}:
            yield f"content type charset {charset[:12]!r}", reply(200, good, Content_Type=b"text/xml; charset=" + raw)
    for kind in (
        "",
        "text/html",
        "image/png",
        "x",
        ";;;",
        "text/xml" * 900,
        "application/json",
        'text/xml; charset="',
        "multipart/mixed",
    ):
        yield f"content type {kind[:20]!r}", reply(200, good, Content_Type=kind)
    odd: dict[str, bytes] = {
        "empty": b"", "quote": b'"', "long": b'"' + b"x" * 30_000 + b'"', "latin": b'"\xe9\xff"', "utf-8": '"é"'.encode(), "tab": b'"a\tb"',
        "weak": b"W/", "comma": b'"a","b"', "star": b"*", "control": b'"\x01\x02"', "percent": b'"%0d%0a"', "blank": b"   ", "backslash": b'"\\"',
    }  # fmt: skip
    for name, value in odd.items():
        for field in (
            "ETag",
            "Last_Modified",
            "Cache_Control",
            "Expires",
            "Retry_After",
            "Age",
            "Date",
            "Location",
            "Link",
            "Set_Cookie",
        ):
            yield f"{field}: {name}", reply(200, good, **{field: value})
    for wait in (
        "",
        "-1",
        "0",
        "1",
        "1e9",
        "9" * 50,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "soon",
        "１",
    ):
        yield f"429 retry after {wait[:12]!r}", reply(429, b"", Retry_After=wait.encode())
        yield f"503 retry after {wait[:12]!r}", reply(503, b"", Retry_After=wait.encode())
    for asked in (
        "max-age=-1",
        "max-age=" + "9" * 100,
        "max-age=x",
        "max-age",
        "no-store, max-age=99999999",
        'max-age="60"',
        "," * 5000,
    ):
        yield f"cache control {asked[:20]!r}", reply(200, good, Cache_Control=asked)
    for status in (100, 101, 102, 199, 201, 202, 203, 204, 205, 206, 226, 299, 300, 304, 305, 306, 399, 400, 401, 402, 403, 404, 405, 406, 407,
                   408, 409, 410, 411, 418, 421, 425, 426, 428, 431, 451, 499, 500, 501, 502, 504, 505, 511, 520, 599, 600, 999):  # fmt: skip
        yield f"status {status}", reply(status, b"secret")
    lines = {
        "not HTTP": b"220 mail\r\n", "HTTP/0.9": b"<rss/>", "HTTP/9.9": b"HTTP/9.9 200 OK\r\n\r\n", "no status": b"HTTP/1.1\r\n\r\n",
        "word as status": b"HTTP/1.1 OK 200\r\n\r\n", "long reason": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", "hangs up": b"",
        "half a line": b"HTTP/1.1 20", "nul in header": HEAD + b"X: \x00\r\n\r\n", "folded": HEAD + b"X: a\r\n b\r\n\r\n", "bare": HEAD + b"X\r\n\r\n",
        "blank in name": HEAD + b"X Y: a\r\n\r\n", "many headers": HEAD + b"X: a\r\n" * 5000 + b"\r\n", "large header": HEAD + b"X: " + b"x" * MB + b"\r\n\r\n",
        "cookies": HEAD + b"Set-Cookie: a=" + b"x" * 3000 + b"\r\nContent-Length: 0\r\n\r\n", "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "negative length": HEAD + b"Content-Length: -1\r\n\r\nx", "huge length": HEAD + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nx",
        "short body": HEAD + b"Content-Length: 999\r\n\r\nx", "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nx",
        "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nx", "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx",
        "no last chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "both": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "many continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, "smuggled": HEAD + b"Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + good,
        "line feeds alone": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "upgrade": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    }  # fmt: skip
    for name, raw in lines.items():
        yield f"wire: {name}", says(raw)
    packed = {
        "bomb": gzip.compress(b"\0" * (40 * MB), 9), "bomb in a bomb": gzip.compress(gzip.compress(b"\0" * (40 * MB), 9)), "cut": gzip.compress(good)[:-6],
        "none": good, "empty": b"", "members": gzip.compress(b"") * 20_000, "rubbish behind": gzip.compress(good) + b"x" * 100_000, "header alone": b"\x1f\x8b",
        "deflate": zlib.compress(good), "bad sum": gzip.compress(good)[:-8] + b"\0" * 8,
    }  # fmt: skip
    for coding in ("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x" * 100, "GZIP", "compress"):
        for name, body in packed.items():
            yield f"{coding[:16]}: {name}", reply(200, body, Content_Encoding=coding)
    yield "drips its body", drips(HEAD + b"Content-Length: 99999\r\n\r\n", b"x", every=0.2)
    yield "drips its headers", drips(HEAD + b"X: ", b"x", every=0.2)
    yield "never answers", drips(b"", b"", every=60)
    yield "never ends", drips(HEAD + b"\r\n", b"x" * 60_000, every=0.001)
    yield "endless chunks", drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", every=0.001)


def redirects() -> Iterator[tuple[str, Answer]]:
    """Redirects that lead inside, nowhere, or round in a circle."""
    for name, link in LINKS.items():
        raw = link.encode("utf-8", "surrogatepass")
        if b"\n" in raw or b"\0" in raw or b"paper" in raw:
            continue  # not a header, or a name that would really be looked up
        for status in (301, 302, 307, 308):
            yield f"{status} to {name}", reply(status, b"", Location=raw)
    yield "303 to nothing", reply(303, b"")
    yield "302 to itself", redirect("")
    yield "302 deeper and deeper", redirect("x/")
    yield "302 with a body", reply(302, b"x" * MB, Location=b"http://10.0.0.1/")


# -- by somebody who has read the source of what we read with ---------------------------------------------------------

SY = 'xmlns:sy="http://purl.org/rss/1.0/modules/syndication/"'
BOMS = {"utf-8": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_LE, "utf-16 big": codecs.BOM_UTF16_BE, "utf-32": codecs.BOM_UTF32_LE,
        "twice": codecs.BOM_UTF8 * 2, "utf-7": b"+/v8-"}  # fmt: skip
INTRODUCTION = "The minister of defence said that missiles and tanks of NATO were there. " * 50


def unread_words(letter: str, length: int, times: int) -> bytes:
    """A relevant report, then words that nobody used before."""
    words = " ".join(f"{number:06d}{letter * length}" for number in range(times))
    return rss(f"<description>{INTRODUCTION}{words}</description>", title="Missiles and tanks for NATO", link="")


INSIDE_FEEDS: dict[str, bytes] = {
    "authors": rss("<authors>Jane Doe</authors>"), "authors of atom": atom("<authors>Jane Doe</authors>"),
    "ttl superscript": rss(more="<ttl>²</ttl>"), "ttl of digits": rss(more=f"<ttl>{'9' * 5000}</ttl>"),
    "frequency superscript": rss(more=f"<sy:updatePeriod {SY}>daily</sy:updatePeriod><sy:updateFrequency {SY}>²</sy:updateFrequency>"),
    "frequency of digits": rss(more=f"<sy:updatePeriod {SY}>daily</sy:updatePeriod><sy:updateFrequency {SY}>{'9' * 5000}</sy:updateFrequency>"),
    "frame of brackets": rss(f"<description>{escape('<html><frameset>' + '<' * 400_000)}</description>"),
    "hours unclosed": rss(more="<skipHours>" * 30_000), "one huge attribute": rss(f'<x y="{"z" * 9 * MB}"/>'),
    "nested 100,000": rss("<x>" * 100_000 + "</x>" * 100_000), "halves as references": rss(title="&#xD83D;&#xDC68;"),
    "nul in an entity": rss(title="&x;", dtd='<!DOCTYPE r [<!ENTITY x "a&#0;b">]>'), "cdata in cdata": rss("<description><![CDATA[a]]]]><![CDATA[>b]]></description>"),
    "attributes by default": rss("<x/>" * 2000, dtd=f'<!DOCTYPE r [<!ATTLIST x y CDATA "{"z" * 20_000}">]>'),
    "namespaces by default": rss("<x/>" * 2000, dtd=f'<!DOCTYPE r [<!ATTLIST x xmlns CDATA "{"z" * 2000}">]>'),
    "language": rss(more=f"<language>{'x' * MB}</language>").replace(b"<item>", b'<item xml:lang="' + b"y" * MB + b'">'),
    "parsed by the feed": rss("<published_parsed>x</published_parsed><updated_parsed>1</updated_parsed><guidislink>1</guidislink>"),
    "details by the feed": rss("<title_detail>x</title_detail><content>x</content><links>x</links><tags>x</tags><enclosures>x</enclosures>"),
    "declares utf-7": b'<?xml version="1.0" encoding="utf-7"?><rss><channel><item><title>+ADw-script+AD4-</title></item></channel></rss>',
    "json items 100,000": b'{"version":"https://jsonfeed.org/version/1","items":[' + b",".join(b'{"id":%d}' % n for n in range(100_000)) + b"]}",
    "items of nothing": b"<rss version='2.0'><channel>" + b"".join(b"<item><guid>%d</guid></item>" % n for n in range(21_000)) + b"</channel></rss>",
    "json id nested": b'{"version":"https://jsonfeed.org/version/1","items":[{"id":' + b"[" * 900 + b"]" * 900 + b',"title":"x"}]}',
    "json halves": b'{"version":"https://jsonfeed.org/version/1","items":[{"id":"\\ud83d","title":"\\udc68 \\ud83d","url":"http://x/\\udc68"}]}',
    "one sentence": rss(f"<description>{INTRODUCTION}{'tanks and drones and submarines ' * 9000}</description>", link=""),
    "one name": rss(f"<description>{INTRODUCTION}{'NATO ' * 100_000}</description>", link=""),
    "neighbours out of reach": rss(f"<description>{INTRODUCTION}{'HUR of the ' * 40_000}{'and the people ' * 20}{'Ukrainian of the ' * 25_000}</description>", link=""),
    "kinds of characters": rss(f"<description>{INTRODUCTION}{''.join(chr(0x4E00 + number % 20_000) for number in range(900_000))}</description>", link=""),
    "words of 100 letters": unread_words("ж", 92, 9900), "words without end": unread_words("x", 90_000, 9),
    "words of CJK": unread_words("\U00020000", 92, 9900),
    **{f"marked {name}": mark + rss() for name, mark in BOMS.items()}, **{f"marked {name}, utf-16": mark + rss().decode().encode("utf-16-le") for name, mark in BOMS.items()},
    **{f"date {date}": rss(date=date) for date in ("2026-11-24T10:00:00+99:99", "2026-11-24T10:00:00\u221205:00", "\u00b2026-11-24", "24 Nov 2026 10:00:00 -99999999")},
}  # fmt: skip


def inside_knowledge() -> Iterator[tuple[str, Answer]]:
    """On the wire, to aiohttp, yarl and zlib."""
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    for name, start, again in (
        ("continues", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        ("early hints", b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 1000),
        ("trailers", chunked + b"0\r\n", b"X: y\r\n" * 1000),
        ("chunk extension", chunked + b"1;a=", b"x" * 60_000),
        ("chunk extensions", chunked, (b"1;a=" + b"x" * 1000 + b"\r\nx\r\n") * 60),
        ("chunk size", chunked, b"0" * 60_000),
        ("reason", b"HTTP/1.1 200 ", b"x" * 60_000),
        ("gzip name", HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08" + b"\0" * 6, b"x" * 60_000),
        ("gzip members", HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 3000),
        ("deflate blocks", HEAD + b"Content-Encoding: deflate\r\n\r\n", b"\0\0\0\xff\xff" * 10_000),
    ):
        yield f"insider: endless {name}", drips(start, again, every=0)
    for name, raw in {
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "carriage return in location": b"HTTP/1.1 302 x\r\nLocation: http://a\rX: y\r\n\r\n",
        "more than its length": HEAD + b"Content-Length: 5\r\n\r\n" + rss(), "204 with a body": b"HTTP/1.1 204 x\r\nContent-Length: 9\r\n\r\n" + rss(),
        "packed twice over": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nxxxxx\r\n0\r\n\r\n",
        "two codings": HEAD + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n" + b"x" * 9,
        "folded location": b"HTTP/1.1 302 x\r\nLocation: http://\r\n 10.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    }.items():  # fmt: skip
        yield f"insider: {name}", says(raw)
    for link in ("//[::1ß]", "http://[::1]@", "HtTp://10.0.0.1/", "hTTps:/\\10.0.0.1", "http://[v1.x]/", "http://a:²/", "http:10.0.0.1", "/" + "x" * 7900,
                 "http://xn--/", "//10.0.0.1\\@a.example/", "http://١٠.0.0.1/", "?" * 5000, "http://a.example:65536/", "FILE:///etc/passwd"):  # fmt: skip
        yield f"insider: to {link[:24]}", reply(302, b"", Location=link.encode())
    yield "insider: etag of 31 KB", reply(200, rss(), ETag='"' + "x" * 31_000 + '"')
    yield "insider: etag of 100 KB", reply(200, rss(), ETag='"' + "x" * 100_000 + '"')
    yield "insider: charset of digits", reply(200, LATIN, Content_Type="text/xml; charset=windows-" + "1" * 20_000)
    yield "insider: charset unknown", reply(200, LATIN, Content_Type="text/xml; charset=mac-é".encode())


LATIN = rss(title="é").replace("é".encode(), b"\xe9")
INSIDE_PAGES: dict[str, Answer] = {
    "dashes": html(page(article(f"<p>related{'-' * 100_000}a</p>"))), "title": html(page("", f"<meta property='og:title' content='{'a - ' * 250_000}'>")),
    **{f"charset {name}": html(page(article("<p>é</p>")).replace("é".encode(), b"\xe9"), Content_Type=f"text/html; charset={name}")
       for name in ("windows-99999", "mac-roman", "cp99999", "latin-9", "utf-16", "iso-8859-77")},
    "authors": html(page(article(), f'<script type="application/ld+json">{json.dumps({"@type": "NewsArticle", "author": ["x"] * 200_000})}</script>')),
    "graph": html(page(article(), '<script type="application/ld+json">' + '[{"@graph":' * 400 + "1" + "}]" * 400 + "</script>")),
    "type nested": html(page(article(), f'<script type="application/ld+json">{{"@type":{"[" * 900}{"]" * 900}}}</script>')),
    "time": html(page(article(f"<time datetime='{'1' * MB}'>x</time>"))), "one attribute": html(page(article(f"<p x='{'y' * 4 * MB}'>z</p>"))),
    "frames": html(page("<html><frameset>" + "&lt;" * 100_000)), "words of 100 letters": html(page(article("".join(f"<p>{n}{'ж' * 92}</p>" for n in range(9000))))),
    "lines of digits": html(page(article("<p>" + "9" * 50_000 + " comment</p>"))), "words alike": html(page(article("<p>facebook, " + "facebook / " * 9000 + "</p>"))),
}  # fmt: skip


# -- pages ------------------------------------------------------------------------------------------------------------


def pages() -> Iterator[tuple[str, Answer]]:
    """Every hostile answer to a question for an article's page."""
    for name, body in page_bodies():
        yield name, html(body)
    for name, (sizes, make) in COSTLY_PAGES.items():
        for size in sizes:
            yield f"costly page: {name} x {size}", html(make(size))
    for charset in CHARSETS:
        raw = charset.encode()
        if not {b"\r", b"\n", b"\0"} & {bytes([one]) for one in raw}:
            yield (
                f"page charset {charset[:12]!r}",
                reply(200, page(article()), Content_Type=b"text/html; charset=" + raw),
            )
    for kind in (
        "",
        "image/png",
        "application/pdf",
        "text/plain",
        "x",
        "text/html" * 900,
        "application/octet-stream",
        "video/mp4",
    ):
        yield f"page type {kind[:20]!r}", reply(200, page(article()), Content_Type=kind)
    for status in (202, 204, 301, 304, 401, 403, 404, 410, 429, 451, 500, 503, 999):
        yield f"page status {status}", reply(status, b"secret")
    yield "page drips", drips(HEAD + b"Content-Length: 99999\r\n\r\n", b"x", every=0.2)
    yield (
        "page bomb",
        reply(200, gzip.compress(b"<p>x</p>" * MB * 3, 9), Content_Encoding="gzip", Content_Type="text/html"),
    )

    yield from ((f"insider page: {name}", answer) for name, answer in INSIDE_PAGES.items())


def page_bodies() -> Iterator[tuple[str, bytes]]:
    """Pages that are no good."""
    for name, text in CHARACTERS.items():
        yield f"page text: {name}", page(article(f"<p>{text}</p>"))
        yield f"page title: {name}", page(f"<h1>{text}</h1><p>x</p>", f"<meta property='og:title' content='{text}'>")
    for reference in REFERENCES:
        yield f"page reference: {reference}", page(article(f"<p>a&{reference};b</p>"))
    for name, text in PAYLOADS.items():
        yield f"page payload: {name}", page(article(f"<p>{text}</p><p>{escape(text)}</p>"))
        yield f"page author: {name}", page(article(), f'<meta name="author" content="{escape(text)}">')
    for name, link in LINKS.items():
        yield (
            f"page canonical: {name}",
            page(article(), f'<link rel="canonical" href="{escape(link)}"><base href="{escape(link)}">'),
        )
    for number, date in enumerate(DATES):
        yield (
            f"page date {number}: {date[:20]!r}",
            page(article(), f'<meta property="article:published_time" content="{escape(date)}">'),
        )
    for field in ("@type", "@graph", "author", "datePublished", "isAccessibleForFree", "headline", "articleBody"):
        for kind, value in WRONG_TYPES.items():
            told = json.dumps({"@type": "NewsArticle", field: value})
            yield (
                f"page linked data {field}: {kind}",
                page(article(), f'<script type="application/ld+json">{told}</script>'),
            )
    whole = page(article())
    for tenth in range(1, 10):
        yield f"page cut at {tenth}0 %", whole[: len(whole) * tenth // 10]
    for written in WRITTEN:
        yield f"page written in {written}", page(article("<p>Министры</p>")).decode().encode(written, "replace")
    yield from {
        "page of nothing": b"", "page of blanks": b" " * 10_000, "page of nul": b"\x00" * 10_000, "page that is xml": rss(), "page that is json": json_feed(),
        "page that is a picture": b"\x89PNG\r\n\x1a\n" + b"\0" * 999, "page that is a pdf": b"%PDF-1.7", "page without tags": b"words " * 2000,
        "page of comments": page("<!-- x -->" * 20_000), "page of scripts": page("<script>x</script>" * 5000), "page open comment": page("<!--" + "x" * 9999),
        "page open script": page("<script>" + "x" * 9999), "page of frames": b"<frameset>" * 1000, "page in plaintext": b"<plaintext>" + whole,
        "page of templates": page("<template>" * 500 + article()), "page of svg": page("<svg>" * 500 + "<title>x</title>"), "page of math": page("<math>" * 500),
        "page random": bytes((n * 7919) % 256 for n in range(50_000)), "page declares utf-16": page(article(), '<meta charset="utf-16">'),
        "page declares utf-7": page(article(), '<meta charset="utf-7">'), "page refreshes": page("", '<meta http-equiv="refresh" content="0;url=file:///">'),
        "page of processing": b"<?php " + b"x" * 9999 + b"?>" + whole, "page with a dtd": b"<!DOCTYPE html [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + page("&x;"),
        "page linked data nested": page("", f'<script type="application/ld+json">{"[" * 90_000}</script>'), "page of heads": page("<h1>x</h1>" * 9000),
        "page of metas": page("", "<meta name=a content=b>" * 20_000), "page of bases": page("", "<base href='http://['>" * 100),
        "page of times": page("<time datetime='x'>" * 9000), "page huge word": page(f"<article><p>{'x' * MB}</p></article>"),
    }.items()  # fmt: skip


COSTLY_PAGES: dict[str, tuple[tuple[int, ...], Callable[[int], bytes]]] = {
    "paragraphs": ((5000, 100_000), lambda n: page("<p>x</p>" * n)),
    "nested": ((1000, 200_000), lambda n: page("<div>" * n + "x")),
    "nested tables": ((100, 5000), lambda n: page("<table><tr><td>" * n + "x")),
    "nested lists": ((100, 5000), lambda n: page("<ul><li>" * n + "x")),
    "nested quotes": ((100, 5000), lambda n: page("<blockquote>" * n + article())),
    "links": ((5000, 80_000), lambda n: page("<a href=x>y</a>" * n)),
    "attributes": ((3000, 20_000), lambda n: page(f"<p {'a=1 ' * n}>x</p>")),
    "names of attributes": ((3000, 20_000), lambda n: page(f"<p {' '.join(f'a{i}' for i in range(n))}>x</p>")),
    "breaks": ((5000, 100_000), lambda n: page(article("x<br>" * n))),
    "spans": ((5000, 100_000), lambda n: page(article("<span>x</span> " * n))),
    "list items": ((2000, 50_000), lambda n: page("<ul>" + "<li>x</li>" * n)),
    "cells": ((2000, 50_000), lambda n: page("<table><tr>" + "<td>x</td>" * n)),
    "bold": ((2000, 100_000), lambda n: page("<b>" * n + article())),
    "formatting": ((500, 4000), lambda n: page("<b><i><u>" * n + "<p>x" * n)),
    "long text": (
        (MB, 4 * MB),
        lambda n: page(
            f"<article>{'<p>' + 'word ' * 40 + '</p>' if n else ''}" + "<p>" + "word " * (n // 5) + "</article>"
        ),
    ),
    "blank lines": ((10_000, MB), lambda n: page("<pre>" + "\n" * n + "</pre>")),
    "ampersands": ((10_000, MB), lambda n: page("<p>" + "&amp;" * (n // 5) + "</p>")),
    "cookie words": ((1000, 30_000), lambda n: page("<p>we and our 9 partners " * n)),
}


# -- robots.txt -------------------------------------------------------------------------------------------------------

ROBOTS: dict[str, Answer] = {
    "robots: page": reply(200, page()), "robots: nul": reply(200, b"\0" * 10_000), "robots: random": reply(200, bytes(range(256)) * 300),
    "robots: long line": reply(200, b"Disallow: /" + b"x" * 700_000), "robots: stars": reply(200, b"User-agent: *\nDisallow: /" + b"*a" * 5000 + b"$"),
    "robots: many rules": reply(200, b"User-agent: *\n" + b"".join(b"Disallow: /%d*x*$\n" % n for n in range(20_000))),
    "robots: many agents": reply(200, b"User-agent: a\n" * 30_000), "robots: delay": reply(200, b"User-agent: *\nCrawl-delay: 1e308"),
    "robots: no delay": reply(200, b"User-agent: *\nCrawl-delay: nan\nRequest-rate: 1/0\nVisit-time: x"), "robots: 500": reply(500), "robots: 401": reply(401),
    "robots: circle": redirect("/robots.txt"), "robots: inside": redirect("http://10.0.0.1/"), "robots: surrogates": reply(200, b"User-agent: *\nDisallow: /\xed\xa0\x80"),
    "robots: bomb": reply(200, gzip.compress(b"#" * 40 * MB, 9), Content_Encoding="gzip"), "robots: hangs up": says(b""),
    "robots: agents by rules": reply(200, b"".join(b"User-agent: a%d\n" % n for n in range(15_000)) + b"Disallow: /a\n" * 15_000),
    "robots: our agents by rules": reply(200, b"".join(b"User-agent: watchfloor%s\n" % (b"*" * (n % 50)) for n in range(9000)) + b"Disallow: /a\n" * 9000),
    "robots: wild": reply(200, b"User-agent: *\n" + b"Disallow: /*good*1*x$\n" * 20_000), "robots: utf-16": reply(200, "User-agent: *\nDisallow: /".encode("utf-16")),
    "robots: long agent": reply(200, b"User-agent: " + b"*" * 400_000 + b"\nDisallow: /x"), "robots: blanks": reply(200, b"User" + b" " * 400_000 + b"agent: x"),
    "robots: drips": drips(HEAD + b"\r\n", b"#", every=0.2),
}  # fmt: skip


# -- pieces for damaging documents --------------------------------------------------------------------------------------

TOKENS = [
    *(token.encode("utf-8", "surrogatepass") for token in CHARACTERS.values() if len(token) < 50),
    *(f"&{reference};".encode() for reference in REFERENCES),
    *(payload.encode() for payload in PAYLOADS.values()),
    *(link.encode("utf-8", "surrogatepass") for link in LINKS.values() if len(link) < 100),
    *(date.encode() for date in DATES if len(date) < 50),
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?", b"?>", b"<!DOCTYPE x [", b"]>", b"<item>", b"</item>", b"<entry>", b"</entry>",
    b"<channel>", b"</channel>", b"<title>", b"</title>", b"<guid>", b"</guid>", b"<link/>", b"<author>", b"</author>", b"<content type='xhtml'>",
    b"<p>", b"</p>", b"<div>", b"</div>", b"<article>", b"</article>", b"<script>", b"</script>", b"<table>", b"<template>", b"<svg>", b"<",
    b">", b"&", b'"', b"'", b"=", b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800", b"null", b"1e999", b"\xff\xfe", b"\xef\xbb\xbf",
]  # fmt: skip


# -- all of it --------------------------------------------------------------------------------------------------------


@cache
def every_feed() -> dict[str, Answer]:
    return dict(feeds())


@cache
def every_page() -> dict[str, Answer]:
    return dict(pages())


def is_heavy(name: str) -> bool:
    """Whether it takes seconds rather than milliseconds until it is read or given up."""
    waits = ("drip", "never", "endless", "quadratic", "bomb", "members", "huge", "json nested")
    return name.startswith("costly") or any(word in name for word in waits)
