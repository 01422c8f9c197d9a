"""Everything from outside is cleaned once, at the door: characters, lengths, links, dates. Pure.

What PostgreSQL, a mail header or a terminal would choke on never gets past here.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from lxml import etree, html

TITLE_LENGTH = 500
AUTHOR_LENGTH = 200
TEXT_LENGTH = 1_000_000
LINK_LENGTH = 2048
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(hours=24)  # a newsroom's clock may be wrong by a zone, not by a year

# Control characters but \n and \t, invisible and bidirectional marks, surrogates, private use, tags, noncharacters.
_DROPPED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufdd0-\ufdef"
    "\ufff9-\uffff\ud800-\udfff\ue000-\uf8ff"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(1, 14))
    + "\U000e0000-\U0010ffff]"
)
# What an address may hold by RFC 3986: what else stands in one would end it early in HTML, in a mail or in Slack.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE)
# Most links are in their canonical form already, which takes a fiftieth of the time to see: no query, no port, no
# capital in the host, nothing to quote.
_CANONICAL = re.compile(r"https?://[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+/[A-Za-z0-9_./~%:@!$&()*+,=-]*")
_UNQUOTED = re.compile(r"[^\x21-\x7e]|[\"<>\\^`{|}]")
_BLANKS = re.compile(r"[^\S\n]+")
_PARAGRAPHS = re.compile(r"\n\s*\n")
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|igshid|yclid|ito|cmp(id)?|ns_\w+", re.IGNORECASE)
_ZONES = {"UT": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
          "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5, "JST": 9, "KST": 9,
          "SGT": 8}  # fmt: skip
_BLOCKS = frozenset(  # elements that end a paragraph
    (
        "address article aside blockquote br dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
        "h5 h6 header hr li main nav ol p pre section table td th tr ul "
    ).split()
)
_SILENT = frozenset(["script", "style", "noscript", "template", "iframe", "object", "svg", "math", "head", "title"])


def clean_text(value: str, limit: int = TEXT_LENGTH) -> str:
    """Text with paragraphs: blanks collapsed, paragraphs parted by one empty line, nothing that cannot be kept."""
    text = value.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    lines = "\n".join(map(_clean, text.split("\n")))
    return _PARAGRAPHS.sub("\n\n", lines).strip()[:limit].rstrip()


def _clean(line: str) -> str:
    """What cannot be kept dropped, characters composed, blanks collapsed. Most lines need but the last."""
    if not (line.isascii() and line.isprintable()):
        line = unicodedata.normalize("NFC", _DROPPED.sub("", line))
    return " ".join(line.split())


def clean_line(value: str, limit: int = TITLE_LENGTH) -> str:
    """The same on one line: titles, names."""
    return " ".join(clean_text(value[: limit * 8]).split())[:limit].rstrip()


def clean_link(link: str | None, base: str) -> str | None:
    """The absolute, canonical form of a link; None if it may not be followed.

    http and https only, with a host, without user, password and control characters, at most 2048 characters. Host in
    small letters, default port, fragment and known tracking parameters off.
    """
    if not link or len(link) > LINK_LENGTH:
        return None
    return link if _CANONICAL.fullmatch(link) else _canonical(link, base)


def _canonical(link: str, base: str) -> str | None:
    if _DROPPED.search(link.strip()):
        return None
    try:
        parts = urlsplit(urljoin(base, link.strip()))
        host = (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
        port = parts.port
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or " " in parts.netloc:
        return None
    if not _HOST.fullmatch(host):
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[parts.scheme]:
        netloc += f":{port}"
    canonical = urlunsplit((parts.scheme, netloc, parts.path or "/", _without_tracking(parts.query), ""))
    quoted = _UNQUOTED.sub(lambda match: _percent(match[0]), canonical)
    return quoted if len(quoted) <= LINK_LENGTH else None


def _without_tracking(query: str) -> str:
    if not query or not any(_TRACKING.fullmatch(pair.split("=")[0]) for pair in query.split("&")):
        return query  # untouched, since parsing and writing it again would change it
    kept = [(key, value) for key, value in parse_qsl(query, keep_blank_values=True) if not _TRACKING.fullmatch(key)]
    return urlencode(kept)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def clean_date(value: str | None, now: datetime) -> datetime | None:
    """A publisher's date as UTC, None unless it is written in full and lies between 1990 and tomorrow.

    RFC 822 and ISO 8601 only: what a guessing parser makes of the rest is how old news becomes new.
    """
    if not value or len(value) > 80:
        return None
    moment = _iso(value.strip()) or _rfc822(value.strip())
    return moment if moment and OLDEST <= moment <= now + AHEAD else None


def _iso(value: str) -> datetime | None:
    if not re.match(r"\d{4}-\d{2}-\d{2}", value):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _rfc822(value: str) -> datetime | None:
    words = value.split()
    zone = _ZONES.get(words[-1].upper()) if words else None
    if zone is not None:
        value = f"{' '.join(words[:-1])} +0000"
    try:
        moment = parsedate_to_datetime(value)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        return moment - timedelta(hours=zone or 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def html_to_text(fragment: str, limit: int = TEXT_LENGTH) -> str:
    """A feed's HTML as plain text, blocks as paragraphs; a text without markup stays what it is. Never raises."""
    if "<" not in fragment and "&" not in fragment:
        return clean_text(fragment, limit)
    try:
        root = html.fragment_fromstring(_DROPPED.sub("", fragment)[: 4 * limit], create_parent="div")
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        return clean_text(re.sub(r"<[^<>]*>", " ", fragment), limit)  # no `<` inside, or each would look to the end
    return clean_text("".join(_pieces(root)), limit)


def _pieces(root: html.HtmlElement) -> list[str]:
    """Texts of a tree in order, blank lines around blocks. A walk of events: recursion would end at depth."""
    pieces: list[str] = []
    hidden = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else "script"
        if event == "start":
            hidden += tag in _SILENT
            if tag in _BLOCKS:
                pieces.append("\n" if tag in ("br", "td", "th") else "\n\n")
            if element.text and not hidden:
                pieces.append(_BLANKS.sub(" ", element.text.replace("\n", " ")))
            continue
        hidden -= tag in _SILENT
        if tag in _BLOCKS:
            pieces.append("\n" if tag in ("br", "td", "th") else "\n\n")
        if element.tail and not hidden and element is not root:
            pieces.append(_BLANKS.sub(" ", element.tail.replace("\n", " ")))
    return pieces
