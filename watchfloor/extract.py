"""html -> Page: trafilatura, which lives here only, and what it lacks: furniture, honest grades, sober dates. Pure."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple

from lxml import etree, html

from watchfloor import paths
from watchfloor.clean import clean_date, clean_line, clean_link, clean_text
from watchfloor.feeds import ENCODINGS
from watchfloor.model import Grade, Page

SCRAP = 60  # characters; less is a label that was left over, not an article
SHORT = 250  # characters: below it a text is looked at for walls and teasers before it is believed
PARAGRAPH_LENGTH = 20_000
TELLING = 60  # characters of a paragraph; shorter ones are labels
MISSED_SHARE = 0.25  # of the text: less is pull quotes and notes (of 284 pages 6 have more: F1 of these .68 -> .91)
MISSED_AT_LEAST = 3
ROUGH_LINE = 40  # characters
ROUGH_SHARE = 0.2  # of what the fullest box holds: token F1 of 261 pages .912, with all paragraphs .885
ROUGH_AT_LEAST = 600  # characters of all paragraphs: of 68 relevant pages with a feed's entry 2 have less, 444 at most
MENUS = ("nav", "footer", "aside", "form", "button", "noscript", "select", "dialog", "template", "iframe")
WALL = 1500  # a wall says little else; a long article that mentions cookies is an article

# Whole lines that are furniture of the page, never a part of the story. Matched against single lines, at both ends
# anchored, so that a sentence which merely contains such words stays. No part of it ends in \W*, which the end has: two
# of them side by side take a minute for 100,000 dashes.
FURNITURE = re.compile(
    r"""\W*(?:
        google\ news(?:\ button)? | (?:follow|find|like|join)\ us\ on\ [\w ,&]{2,60} |
        share(?:\ this)?(?:\ (?:article|story|post|on|via)[\w ,]*)? |
        (?:read|see|watch)\ (?:also|more|next)\b.{0,120} | also\ read\b.{0,120} |
        related(?:\ (?:articles?|stories|topics|content|news))? | most\ (?:read|popular|viewed) |
        recommended(?:\ for\ you)? | trending(?:\ now)? | advertisement | sponsored(?:\ content)? |
        story\ continues\ below.{0,40} | (?:article\ )?continues\ after\ (?:this\ )?ad\w* | scroll\ to\ continue |
        skip\ (?:to\ (?:main\ )?content|ad\w*) | (?:sign\ up|subscribe)\ (?:to|for)\ (?:our|the)\b.{0,100} |
        get\ our\ (?:daily|weekly|free)\b.{0,80} | newsletter(?:\ sign\ ?up)? |
        (?:we|this\ (?:site|website))\ uses?\ cookies\b.{0,200} | accept\ (?:all\ )?cookies |
        cookie\ (?:policy|settings|notice) | all\ rights\ reserved | copy\ link | link\ copied |
        (?:facebook|twitter|x|whatsapp|linkedin|telegram|reddit|e-?mail|print|pinterest)
            (?:[\s,|/·]+(?:facebook|twitter|x|whatsapp|linkedin|telegram|reddit|e-?mail|print|pinterest))* |
        comments?(?:\ \(\d+\))? | leave\ a\ (?:comment|reply) | \d+\ (?:comments?|shares?|views) | tags?:.{0,150} |
        listen\ to\ this\ article.{0,40} | open\ (?:this\ )?image\ in\ (?:gallery|a\ new\ window).{0,40} |
        click\ here\ to\ .{0,80} | download\ our\ app.{0,60}
    )\W*""",
    re.IGNORECASE | re.VERBOSE,
)
CHALLENGE = re.compile(
    r"just a moment\.\.\.|checking (?:if the site connection is secure|your browser)|verify(?:ing)? (?:that )?"
    r"you are (?:a )?human|enable javascript and cookies to continue|attention required! \| cloudflare|are you a robot|"
    r"px-captcha|captcha-delivery|access denied.{0,40}reference",
    re.IGNORECASE,
)
CONSENT = re.compile(
    r"before you continue|we (?:and our (?:\d+ )?partners|value your privacy)|consent to the (?:use|storing)|"
    r"manage (?:your )?(?:cookie|privacy) (?:preferences|settings)|accept all cookies|ihre zustimmung|"
    r"wir und unsere partner|nous et nos partenaires",
    re.IGNORECASE,
)
TEASER = re.compile(
    r"(?:subscribe|sign in|log ?in|register|become a (?:member|subscriber)) (?:now |here )?to "
    r"(?:read|continue|unlock|access|view)|"
    r"this (?:article|content|story) is (?:only |exclusively )?(?:for|available to) (?:our )?(?:subscribers|members)|"
    r"subscriber[- ]only|already a (?:subscriber|member)\?|to continue reading|remaining \d+ ?% of|"
    r"(?:continue|keep) reading with",
    re.IGNORECASE,
)
DATE_PROPERTIES = ("article:published_time", "og:article:published_time", "datepublished", "dc.date.issued",
                   "dc.date", "dcterms.created", "date", "pubdate", "publishdate", "parsely-pub-date",
                   "sailthru.date")  # fmt: skip
SUFFIX = re.compile(r"\s+[|–—·»-]\s+[^|–—·»]{2,40}$")
LINKED_DATA = "application/ld+json"
# One class for all elements: lxml.html's own look-up asks Python for each, which is a tenth of an extraction.
ELEMENTS = etree.ElementDefaultClassLookup(element=html.HtmlElement)


def read_page(body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
    """Read one article's page. `url`: where it came from. Never raises for what a page holds."""
    if not _is_html(body, content_type):
        return Page(Grade.FAILED)
    tree = _tree(body, content_type)
    if tree is None:
        return Page(Grade.EMPTY)
    meta, linked = _metas(tree), list(_linked_data(tree))
    page = _about(tree, meta, linked, url, now)
    head = clean_line(str(tree.findtext(".//title") or ""))
    etree.strip_elements(tree, *_needless(), with_tail=False)
    text = _text(tree)
    if len(text) < SHORT and (whole := _tree(body, content_type)) is not None:
        text = _text(whole)  # what was taken out may be all there is
    text = without_furniture(text, page.title or "")
    return replace(page, grade=_grade(text, head, body, linked), text=text)


def read_roughly(body: bytes, *, content_type: str, url: str, now: datetime) -> Page:
    """The same without trafilatura: the paragraphs of the boxes that hold most of them. Grade ROUGH, or EMPTY if they
    are too short to be judged by, or look like a wall or a teaser, which only the whole reading tells.
    """
    tree = _tree(body, content_type) if _is_html(body, content_type) else None
    if tree is None:
        return Page(Grade.EMPTY)
    linked = list(_linked_data(tree))
    page = _about(tree, _metas(tree), linked, url, now)
    head = clean_line(str(tree.findtext(".//title") or ""))
    text = without_furniture(_rough_text(tree), page.title or "")
    whole = len(text) >= ROUGH_AT_LEAST and _grade(text, head, body, linked) is Grade.FULL
    return replace(page, grade=Grade.ROUGH if whole else Grade.EMPTY, text=text)


def _about(tree: html.HtmlElement, meta: dict[str, str], linked: list[dict[str, Any]], url: str, now: datetime) -> Page:
    """What the page says of itself; no text yet."""
    return Page(
        grade=Grade.EMPTY,
        title=_title(tree, meta) or None,
        authors=_authors(meta, linked),
        language=_page_language(tree, meta),
        published=_published(tree, meta, linked, now),
        canonical_url=_canonical(tree, meta, url),
    )


def _is_html(body: bytes, content_type: str) -> bool:
    kind = content_type.split(";", maxsplit=1)[0].strip().lower()
    head = body[:1024].lstrip().lower()
    if head.startswith((b"%pdf", b"\x89png", b"\xff\xd8", b"gif8", b"pk\x03\x04")):
        return False
    return kind in ("", "text/html", "application/xhtml+xml", "text/plain", "application/xml") or b"<html" in head


def _tree(body: bytes, content_type: str) -> html.HtmlElement | None:
    """The page as trafilatura would read it itself: without comments, which would cut sentences in two for it."""
    encoding = _encoding(body, content_type)
    try:
        parser = _parser(encoding)
    except LookupError:  # libxml2 does not know it
        body, parser = _in_utf8(body, encoding), _parser("utf-8")
    try:
        tree = html.document_fromstring(body, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError):
        return None
    _drop_silent(tree)
    return tree


def _parser(encoding: str) -> etree.HTMLParser:
    parser = etree.HTMLParser(encoding=encoding, collect_ids=False, remove_comments=True, remove_pis=True)
    parser.set_element_class_lookup(ELEMENTS)
    return parser


def _in_utf8(body: bytes, encoding: str) -> bytes:
    """By Python, which knows more of them; what it does not know either is taken for windows-1252."""
    try:
        return body.decode(encoding, "replace").encode()
    except LookupError:
        return body.decode("windows-1252", "replace").encode()


def _drop_silent(tree: html.HtmlElement) -> None:
    """Take out what says nothing: trafilatura would copy and search it several times. A twelfth of its time."""
    for script in list(tree.iter("script")):
        if script.get("type") != LINKED_DATA:
            script.tag = "style"
    etree.strip_elements(tree, "style", "svg", with_tail=False)


def _encoding(body: bytes, content_type: str) -> str:
    """UTF-8 if it is that; else what HTTP or the page declare, if known; else windows-1252."""
    try:
        body.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    declared = re.search(r"charset=[\"']?([\w.-]+)", content_type)
    inside = re.search(rb"charset=[\"']?([A-Za-z0-9._-]+)", body[:4096])
    for name in (declared[1] if declared else "", inside[1].decode("ascii") if inside else ""):
        if ENCODINGS.fullmatch(name) and not name.lower().startswith("utf"):
            return name
    return "utf-8" if body.count(b"\xef\xbf\xbd") or _mostly_utf8(body) else "windows-1252"


def _mostly_utf8(body: bytes) -> bool:
    """A cut or slightly damaged UTF-8 page is still one."""
    return body.decode("utf-8", "replace").count("\ufffd") < 0.002 * len(body)


# -- text -------------------------------------------------------------------------------------------------------------


def _text(tree: html.HtmlElement) -> str:
    _loosen_tables(tree)
    return with_missed(_body(tree), list(_paragraphs(tree)))


@cache
def _needless() -> tuple[str, ...]:
    """Elements that trafilatura drops for their names, with what they hold, after it has copied and searched the page:
    a seventh of its time. Not those of which it looks first what they hold.
    """
    return (*({*_part("settings").MANUALLY_CLEANED} - {"figure", "form", "head", "math", "script"}), "img", "meta")


def _body(tree: html.HtmlElement) -> str:
    """The main text by trafilatura, paragraphs parted by blank lines. The tree stays as it is."""
    extract, options = _trafilatura()
    found = extract(tree, options=options)
    return clean_text((found.text or "").replace("\n", "\n\n")) if found else ""


@cache
def _trafilatura() -> tuple[Callable[..., Any], Any]:
    """Its extraction, with our own searches for boxes, which find the same; and the options."""
    for expressions in vars(_part("xpaths")).values():
        if isinstance(expressions, list):
            paths.quicken(expressions)
    basics = _part("baseline")
    cleaned = getattr(basics, "BASIC_CLEAN_XPATH", None)  # without it only slower
    if cleaned is not None and (path := paths.read(cleaned.path)):
        basics.BASIC_CLEAN_XPATH = path
    return _part("core").bare_extraction, _part("settings").Extractor(
        output_format="python",
        fast=True,  # as good on 181 pages (F1 .962 against .960), and 40 % quicker
        dedup=False,  # it would drop what other pages of this process said
        comments=False,
        tables=True,
        with_metadata=False,  # its date search invents dates out of running text
    )


def _part(name: str) -> Any:
    """A module of trafilatura, imported as where there is no py3langid: that and numpy are 16 MB and a tenth of a
    second in each reader, for languages that it is not asked for.
    """
    if "py3langid" in sys.modules:
        return importlib.import_module(f"trafilatura.{name}")
    sys.modules["py3langid"] = None  # type: ignore[assignment]  # not to be imported
    try:
        return importlib.import_module(f"trafilatura.{name}")
    finally:
        del sys.modules["py3langid"]


def _rough_text(tree: html.HtmlElement) -> str:
    """The paragraphs of the boxes that hold most; of a page that has none, its lines that are long enough."""
    etree.strip_elements(tree, *MENUS, with_tail=False)
    boxes = [(paragraph.getparent(), _rough_line("".join(paragraph.itertext()))) for paragraph in tree.iter("p")]
    sizes: Counter[html.HtmlElement] = Counter()
    for box, line in boxes:
        sizes[box] += len(line)
    least = ROUGH_SHARE * max(sizes.values(), default=0)
    whole = "\n\n".join(dict.fromkeys(line for box, line in boxes if line and sizes[box] >= least))
    if len(whole) >= SHORT:
        return whole
    return "\n\n".join(dict.fromkeys(filter(None, map(_rough_line, "".join(tree.itertext()).split("\n")))))


def _rough_line(text: str) -> str:
    """In one line; '' for a label, a link or a name."""
    line = clean_line(text.replace("\n", " "), PARAGRAPH_LENGTH)
    return line if len(line) >= ROUGH_LINE else ""


def _loosen_tables(tree: html.HtmlElement) -> None:
    """Make tables that lay out the page plain boxes, so that a menu's cell is not a part of the article's table."""
    for table in tree.xpath("//table[.//td[count(./p) > 1]]"):
        for part in table.iter("table", "tbody", "thead", "tfoot", "tr", "td", "th"):
            part.tag = "div"


class Paragraph(NamedTuple):
    """A paragraph of the page as it stands there, the kind of box it stands in, and what it is known by."""

    box: tuple[str, str]  # tag and class of its parent
    start: str
    text: str


def _paragraphs(tree: html.HtmlElement) -> Iterator[Paragraph]:
    """Those that say something; as they stand in the page, since few of them are looked at twice."""
    for element in tree.iter("p"):
        parent = element.getparent()
        if parent is None or not parent.get("class"):
            continue
        text = "".join(element.itertext())
        if len(start := _start(text)) >= TELLING:
            yield Paragraph((str(parent.tag), parent.get("class")), start, text)


def with_missed(text: str, paragraphs: Sequence[Paragraph]) -> str:
    """The text with what stands in boxes of the same kind as its own and was left out, each in its place.

    Publishers cut an article into several equal boxes, with advertisements between them, and the extraction takes one.
    """
    lines = text.split("\n\n")
    kept = {_start(line): number for number, line in enumerate(lines)}
    boxes = {one.box for one in paragraphs if one.start in kept}
    missed = {
        one.start: clean_line(one.text, PARAGRAPH_LENGTH)
        for one in paragraphs
        if one.box in boxes and one.start not in kept
    }
    if len(missed) < MISSED_AT_LEAST or sum(map(len, missed.values())) < MISSED_SHARE * len(text):
        return text
    after, place = defaultdict(list), -1
    for one in paragraphs:
        place = kept.get(one.start, place)
        if one.start in missed:
            after[place].append(missed.pop(one.start))
    whole = [*after[-1], *(part for number, line in enumerate(lines) for part in (line, *after[number]))]
    return "\n\n".join(dict.fromkeys(whole))


def _start(text: str) -> str:
    """What a paragraph is known by: trafilatura keeps its words, not its blanks."""
    return clean_line("".join(text.split())[: 2 * TELLING])[:TELLING]


def without_furniture(text: str, title: str = "") -> str:
    """The text without lines that are furniture of the page, and without its own title on top."""
    lines = [line for line in text.split("\n\n") if not FURNITURE.fullmatch(line.strip())]
    if title and lines and lines[0].strip().casefold() == title.casefold():
        lines = lines[1:]
    return "\n\n".join(lines)


# -- grade ------------------------------------------------------------------------------------------------------------


def _grade(text: str, head: str, body: bytes, linked: list[dict[str, Any]]) -> Grade:
    if len(text) < WALL:
        seen = f"{head}\n{text}"
        if CHALLENGE.search(seen) or (len(text) < SHORT and CHALLENGE.search(body[:20_000].decode("utf-8", "replace"))):
            return Grade.CHALLENGE
        if CONSENT.search(seen) and (len(text) < SHORT or CONSENT.search(text[:300])):
            return Grade.CONSENT
        if len(text) < SCRAP:
            return Grade.EMPTY
        if TEASER.search(text) or _is_locked(linked) or (len(text) < 2 * SHORT and text.endswith(("…", "..."))):
            return Grade.TEASER
    return Grade.FULL


def _is_locked(linked: list[dict[str, Any]]) -> bool:
    return any(str(item.get("isAccessibleForFree")).lower() == "false" for item in linked)


# -- metadata ---------------------------------------------------------------------------------------------------------


def _metas(tree: html.HtmlElement) -> dict[str, str]:
    """Name or property -> content, the first of each, in small letters."""
    found: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = (
            meta.get("property") or meta.get("name") or meta.get("itemprop") or meta.get("http-equiv") or ""
        ).lower()
        if name and meta.get("content"):
            found.setdefault(name, meta.get("content").strip())
    return found


def _linked_data(tree: html.HtmlElement) -> Iterator[dict[str, Any]]:
    """The objects of the page's JSON-LD that are an article."""
    scripts = (script for script in tree.iter("script") if script.get("type") == LINKED_DATA)
    for script in islice(scripts, 20):
        try:
            pending = [json.loads(script.text or "", strict=False)]
        except (ValueError, RecursionError):
            continue
        while pending:
            item = pending.pop()
            if isinstance(item, list):
                pending.extend(item[:200])
            elif isinstance(item, dict):
                pending.extend([item["@graph"]] if "@graph" in item else [])
                if re.search("article|posting|report", str(item.get("@type")), re.IGNORECASE):
                    yield item


def _title(tree: html.HtmlElement, meta: dict[str, str]) -> str:
    """The one headline of the page; else what it tells others; else its title without the site's name."""
    heads = [clean_line(" ".join(head.itertext())) for head in tree.iter("h1")]
    told = clean_line(meta.get("og:title", ""))
    if len([head for head in heads if head]) == 1:
        return next(head for head in heads if head)
    return SUFFIX.sub("", told or clean_line(str(tree.findtext(".//title") or "")))


def _page_language(tree: html.HtmlElement, meta: dict[str, str]) -> str | None:
    declared = tree.get("lang") or meta.get("og:locale") or meta.get("content-language") or ""
    match = re.match(r"[a-z]{2,3}", declared.strip().lower())
    return match[0] if match else None


def _published(
    tree: html.HtmlElement, meta: dict[str, str], linked: list[dict[str, Any]], now: datetime
) -> datetime | None:
    """The date in the page's own metadata; never one found in running text."""
    told = (str(item.get("datePublished") or "") for item in linked)
    candidates = chain(told, (meta.get(name, "") for name in DATE_PROPERTIES), _times(tree))
    return next((date for value in candidates if (date := clean_date(value, now))), None)


def _times(tree: html.HtmlElement) -> Iterator[str]:
    """The first time that the page marks as such at its head or in its article."""
    for time in tree.xpath("(//article//time[@datetime] | //header//time[@datetime] | //time[@pubdate])[1]"):
        yield time.get("datetime")


def _canonical(tree: html.HtmlElement, meta: dict[str, str], url: str) -> str | None:
    """The page's own address of itself: same site, and not the site's front page."""
    named = next((link.get("href") for link in tree.iter("link") if link.get("rel") == "canonical"), None)
    for link in (named, meta.get("og:url")):
        clean = clean_link(link, url)
        if clean and _site(clean) == _site(url) and re.sub(r"^https?://[^/]+/?", "", clean):
            return clean
    return None


def _site(url: str) -> str:
    return re.sub(r"^https?://(?:www\.|amp\.|m\.)?([^/]+).*$", r"\1", url)


def _authors(meta: dict[str, str], linked: list[dict[str, Any]]) -> tuple[str, ...]:
    named: list[str] = []
    for item in linked:
        authors = item.get("author")
        for author in authors if isinstance(authors, list) else [authors]:
            name = author.get("name") if isinstance(author, dict) else author
            named += [name] if isinstance(name, str) else []
    named += [meta[name] for name in ("author", "article:author") if name in meta and "://" not in meta[name]]
    cleaned = (clean_line(name, 200) for name in named[:20])
    return tuple(dict.fromkeys(name for name in cleaned if name))
