"""Alert -> Message: what a mail, Slack and the terminal show. Pure; every foreign text is tamed, then escaped.

    Alert -> Shown (tamed, times in the reader's zone) -> mail.html.j2, mail.txt.j2      a user's folder first
                                                       -> Slack's marks                  & < > escaped
                                                       -> lines for the terminal

`Message.title` has our own words only, for services that may act on a title. `Message.subject` names the headline: it
goes into mail alone, where it is one tamed line that the mail library encodes.
"""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, select_autoescape

from alerts.charts import Counts, bars
from watchfloor.model import Alert, Brief, Grade

LONGEST_LINE = 300  # of a headline or name; ten thousand characters are an attack or a fault
LONGEST_SENTENCE = 600
LONGEST_SUBJECT = 200
UPDATE = "Update: "
OF_MANY = ("digest", "flood", "baseline")  # kinds
TOPICS_IN_TITLE = 3
LISTED = 60  # stories in one mail; the rest is counted, and is in the archive
LISTED_IN_SLACK = 20  # of Slack's 50 blocks
SLACK_SECTION = 2900  # characters; Slack refuses a section of more than 3000
PICTURE = "picture@watchfloor"  # the part's Content-ID
DRAWN_FROM, DRAWN_BARS = 4, 8  # stories; bars that fit a phone's screen together with the first story
ONE_STORY = ("story", "update")  # kinds of which the headline is the subject
OLD = timedelta(hours=24)  # an article found so long after it came out says so

_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # control, format (bidi!), surrogate, private, unassigned
_JOINERS = "\u200c\u200d"  # format characters that Persian, Hindi and emoji are written with


class Piece(NamedTuple):
    """A part of the sentence that matched; `marked` if it is a term."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A story as a message shows it: tamed, not yet escaped."""

    headline: str
    url: str | None
    page: str | None  # of the story, on the desk
    publishers: str  # whose words they are
    copies: str  # who else prints these words, '' if nobody
    time: str
    age: str
    pieces: tuple[Piece, ...]
    topics: tuple[str, ...]
    entities: tuple[str, ...]
    grade: str
    score: str
    news: str

    @property
    def topic(self) -> str:
        """The topic under which a digest lists it."""
        return self.topics[0] if self.topics else "other"


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in every form that a target may take."""

    title: str  # our own words
    subject: str  # one line, may hold the headline
    html: str  # for mail; with a picture it is shown by PICTURE
    text: str
    slack: tuple[str, ...]  # sections in Slack's marks, escaped; the first is the title
    notice: str  # the same in a line for a phone's notification, escaped as for Slack
    picture: bytes | None = None  # a PNG
    plain_html: str = ""  # for other services: the same without the picture

    def standalone(self) -> str:
        """The HTML with the picture inside, for a browser."""
        if self.picture is None:
            return self.html
        inside = f"data:image/png;base64,{b64encode(self.picture).decode()}"
        return self.html.replace(f'src="cid:{PICTURE}"', f'src="{inside}"')


def render(
    alert: Alert,
    zone: ZoneInfo,
    *,
    desk: str | None = None,
    templates: Path | None = None,
    names: Mapping[str, str] | None = None,
) -> Message:
    """The message of an alert. `desk`: address of the desk's page, for links. `templates`: a user's folder. `names`: of
    topics, as the watchlist gives them."""
    stories = [_shown(brief, zone, desk, names or {}) for brief in alert.briefs]
    lines = [tame(line, LONGEST_SENTENCE) for line in alert.lines]
    title = _title(alert, stories)
    opening, closing = (lines[:1], lines[1:]) if alert.kind == "digest" else (lines, [])  # blind spots close a digest
    values = {
        "title": title,
        "kind": alert.kind,
        "opening": opening,
        "closing": closing,
        "groups": _groups(stories[:LISTED], alert.kind),
        "more": len(stories[LISTED:]),
        "route": tame(alert.route, LONGEST_LINE),
    }
    counts = _counts(stories) if alert.kind == "digest" else ()
    values["counts"] = counts
    picture = bars(counts) if counts else None
    environment = _environment(templates)
    html = environment.get_template("mail.html.j2")
    subject = _subject(alert, stories, title)
    if alert.kind == "ops" and lines:
        subject = tame(f"{title}: {lines[0]}", LONGEST_SUBJECT)
    return Message(
        title=title,
        subject=subject,
        html=html.render(values, picture=f"cid:{PICTURE}" if picture else None),
        text=environment.get_template("mail.txt.j2").render(values),
        slack=_slack(title, [*opening, *_in_a_line(counts)], stories, closing),
        notice=_escaped(subject if subject.startswith(title) else f"{title}: {subject.removeprefix(UPDATE)}"),
        picture=picture,
        plain_html=html.render(values, picture=None),
    )


def _counts(stories: Sequence[Shown]) -> Counts:
    """Stories by topic, for the picture; of few there is nothing to draw."""
    counted = Counter(story.topic for story in stories)
    if len(stories) < DRAWN_FROM or len(counted) == 1:
        return ()
    most = counted.most_common(DRAWN_BARS)
    rest = len(stories) - sum(count for _, count in most)
    return (*most, *([("everything else", rest)] if rest else []))


@cache
def _environment(templates: Path | None) -> Environment:
    own = [FileSystemLoader(templates)] if templates else []
    environment = Environment(
        loader=ChoiceLoader([*own, PackageLoader("alerts", "templates")]),
        autoescape=select_autoescape(enabled_extensions=("html", "html.j2"), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrapped"] = _wrapped
    environment.filters["bar"] = _bar
    return environment


def _wrapped(text: str, indent: int = 0) -> str:
    return "\n".join(" " * indent + line for line in wrap(text, 76 - indent, break_long_words=False))


def _bar(count: int, most: int) -> str:
    """A bar of at most 30 signs for the text part."""
    return "#" * max(1, round(30 * count / most))


# -- taming -----------------------------------------------------------------------------------------------------------


def tame(text: str, limit: int) -> str:
    """One line of visible characters, at most `limit`: nothing that could break a header or reorder what is read."""
    line = " ".join(_visible(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def _visible(text: str) -> str:
    return "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or char in _JOINERS or unicodedata.category(char) not in _UNSEEN
    )


def safe_url(url: str | None) -> str | None:
    """The link if it is one to the web, with all that could end it early percent-encoded."""
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        return None
    encoded = quote(url.strip(), safe="%:/?#[]@!$&()*+,;=~", errors="ignore") if usable else None
    return encoded if encoded and len(encoded) <= 2048 else None


def _in_a_line(counts: Counts) -> list[str]:
    listed = ", ".join(f"{name} {count}" for name, count in counts)
    return [f"Stories by topic: {listed}."] if counts else []


# -- what is shown of a story -----------------------------------------------------------------------------------------


def _shown(brief: Brief, zone: ZoneInfo, desk: str | None, names: Mapping[str, str]) -> Shown:
    return Shown(
        headline=tame(brief.headline, LONGEST_LINE) or "(no headline)",
        url=safe_url(brief.url),
        page=safe_url(f"{desk.rstrip('/')}/story/{brief.story_id}") if desk else None,
        publishers=_publishers(brief),
        copies=_listed(brief.copies),
        time=_time(brief, zone),
        age=_age(brief),
        pieces=_pieces(brief.sentence, brief.marks),
        topics=tuple(tame(names.get(topic, topic), 80) for topic in brief.topics),
        entities=tuple(tame(entity, 80) for entity in brief.entities[:8]),
        grade="full text" if brief.grade is Grade.FULL else f"{brief.grade.value} only",
        score=f"{brief.score:.1f}",
        news=tame(brief.news, LONGEST_SENTENCE),
    )


def _publishers(brief: Brief) -> str:
    first = f"{brief.publisher} ({brief.wire})" if brief.wire else brief.publisher
    return _listed((first, *brief.others))


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(tame(name, 80) for name in names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown


def _time(brief: Brief, zone: ZoneInfo) -> str:
    if brief.published is None:
        return f"undated, first seen {_clock(brief.first_seen, zone)}"
    return _clock(brief.published, zone)


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M %Z}"


def _age(brief: Brief) -> str:
    """How late an article was found, '' if it was not."""
    if brief.published is None or (late := brief.first_seen - brief.published) < OLD:
        return ""
    return f"came out {late.days} day{'s' if late.days > 1 else ''} before it was found"


def _pieces(sentence: str, marks: Sequence[tuple[int, int]]) -> tuple[Piece, ...]:
    """The sentence cut at its marks and then tamed: taming moves offsets."""
    pieces, at = [], 0
    for start, end in sorted(marks):
        if at <= start < end <= min(len(sentence), LONGEST_SENTENCE):
            pieces += [Piece(sentence[at:start], False), Piece(sentence[start:end], True)]
            at = end
    rest = sentence[at:LONGEST_SENTENCE] + ("\N{HORIZONTAL ELLIPSIS}" if len(sentence) > LONGEST_SENTENCE else "")
    tamed = (Piece(_visible(piece.text), piece.marked) for piece in (*pieces, Piece(rest, False)))
    return tuple(piece for piece in tamed if piece.text)


def _groups(stories: Iterable[Shown], kind: str) -> list[tuple[str, list[Shown]]]:
    """What tells of many stories by topic, in the order of its best story; anything else as it is."""
    groups: dict[str, list[Shown]] = {}
    for story in stories:
        groups.setdefault(story.topic if kind in OF_MANY else "", []).append(story)
    return list(groups.items())


def _title(alert: Alert, stories: Sequence[Shown]) -> str:
    """Our own words; of many stories the topics that most of them are about, as the watchlist names them."""
    topics = [
        name for name, _ in Counter(story.topic for story in stories if story.topics).most_common(TOPICS_IN_TITLE)
    ]
    named = alert.kind in OF_MANY and topics
    return tame(f"{alert.subject}: {', '.join(topics)}" if named else alert.subject, LONGEST_SUBJECT)


def _subject(alert: Alert, stories: Sequence[Shown], title: str) -> str:
    if alert.kind not in ONE_STORY or not stories:
        return title
    start = UPDATE if alert.kind == "update" else ""
    return tame(f"{start}{stories[0].headline}", LONGEST_SUBJECT)


# -- Slack ------------------------------------------------------------------------------------------------------------


def _slack(title: str, opening: Sequence[str], stories: Sequence[Shown], closing: Sequence[str]) -> tuple[str, ...]:
    """The title, our own sentences, one section a story."""
    left = len(stories) - LISTED_IN_SLACK
    return (
        f"*{_escaped(title)}*",
        *([_cut(_escaped("\n".join(opening)))] if opening else []),
        *(_slack_story(story) for story in stories[:LISTED_IN_SLACK]),
        *([f"{left} more are in the archive."] if left > 0 else []),
        *([_cut("\n".join(["*Blind spots*", *map(_escaped, closing)]))] if closing else []),
    )


def _slack_story(story: Shown) -> str:
    headline = _escaped(story.headline)
    parts = [
        f"*<{_escaped(story.url)}|{headline}>*" if story.url else f"*{headline}*",
        _escaped(story.news),
        _escaped(_who_and_when(story)),
        f"> {''.join(_slack_piece(piece) for piece in story.pieces).strip()}" if story.pieces else "",
        _escaped(_facts(story)),
        f"<{_escaped(story.page)}|The story on the desk>" if story.page else "",
    ]
    return _cut("\n".join(part for part in parts if part))


def _slack_piece(piece: Piece) -> str:
    return f"*{_escaped(piece.text)}*" if piece.marked else _escaped(piece.text)


def _escaped(text: str) -> str:
    """Slack's own three: it would show any other entity as it stands."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(section: str) -> str:
    """Within Slack's limit, at the end of a line: a line cut in two could leave half a link."""
    if len(section) <= SLACK_SECTION:
        return section
    kept = section[:SLACK_SECTION].rpartition("\n")[0]
    return kept or section[:SLACK_SECTION].rpartition(" ")[0]


def _who_and_when(story: Shown) -> str:
    copies = f"same text: {story.copies}" if story.copies else ""
    return " \N{MIDDLE DOT} ".join(part for part in (story.publishers, copies, story.time, story.age) if part)


def _facts(story: Shown) -> str:
    named = [", ".join(names) for names in (story.topics, story.entities) if names]
    return " \N{MIDDLE DOT} ".join([*named, story.grade, f"score {story.score}"])


# -- terminal ---------------------------------------------------------------------------------------------------------

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render_terminal(
    alert: Alert, zone: ZoneInfo, colour: bool = False, width: int = 80, names: Mapping[str, str] | None = None
) -> str:
    """An alert for the terminal, without a trailing newline. Foreign text is tamed: it cannot send escape sequences."""
    bold, dim, plain = (BOLD, DIM, PLAIN) if colour else ("", "", "")
    stories = [_shown(brief, zone, None, names or {}) for brief in alert.briefs]
    first, *more = _folded([_subject(alert, stories, _title(alert, stories))], width)
    out = [f"{bold}*{first[1:]}{plain}", *(f"{bold}{line}{plain}" for line in more)]
    out += _folded((tame(line, LONGEST_SENTENCE) for line in alert.lines), width)
    for story in stories:
        if alert.kind not in ONE_STORY:
            out += [f"{bold}{line}{plain}" for line in _folded([story.headline], width)]
        out += _folded([story.news], width)
        out += _folded([_who_and_when(story)], width)
        out += _folded(["".join(f"[{p.text}]" if p.marked else p.text for p in story.pieces)], width, "    ")
        out += [f"{dim}{line}{plain}" for line in _folded([_facts(story)], width)]
        out += [f"  {story.url}"] if story.url else []
    return "\n".join(out)


def _folded(texts: Iterable[str], width: int, indent: str = "  ") -> list[str]:
    return [indent + line for text in texts for line in wrap(text, max(width - len(indent), 20))]
