from __future__ import annotations

import pickle
import re
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.config import Policy, load, parse
from watchfloor import sources, watchlist
from watchfloor.errors import AlertsError
from watchfloor.query import parse as parse_query
from watchfloor.routes import Flood, Known, Quiet, Route
from watchfloor.settings import Settings, shipped

SECRET = "TIiajkdnlazkcOXrIdevi7FQ"
HOOK = f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}"
MAIL = "mailto://user:hunter22@mail.example?from=w@desk.example&to=a@desk.example"


def read(text: str, known: Known | None = None) -> Policy:
    return parse(text, "alerts.yaml", Settings(timezone="Europe/Berlin"), known)


URLS = f"""\
urls:
  - {HOOK}:
      - tag: desk
  - {MAIL},b@desk.example:
      - tag: analysts
  - {MAIL.replace("a@", "admin@")}:
      - tag: ops
"""


def test_the_whole_of_a_route() -> None:
    policy = read(
        URLS
        + """\
routes:
  - name: nuclear
    tags: [desk, analysts]
    topics: [nuclear]
    entities: ["New START"]
    sources: paper-one
    query: warhead NEAR/5 submarine
    score: 6
    timezone: America/New_York
    quiet: "22:00-06:00"
    flood: {more_than: 10, within: 10m}
  - {name: morning, tags: analysts, digest: daily, at: "07:30"}
"""
    )
    slack, first, second, admin = (one.target for one in policy.targets)
    assert [slack.tags, first.tags, second.tags, admin.tags] == [("desk",), ("analysts",), ("analysts",), ("ops",)]
    assert policy.ops == (admin.id,)
    assert policy.routes == (
        Route(
            "nuclear",
            targets=(slack.id, first.id, second.id),
            topics=("nuclear",),
            entities=("New START",),
            sources=("paper-one",),
            score=6.0,
            query=parse_query("warhead NEAR/5 submarine"),
            timezone=ZoneInfo("America/New_York"),
            quiet=Quiet(time(22), time(6)),
            flood=Flood(10, timedelta(minutes=10)),
        ),
        Route(
            "morning",
            targets=(first.id, second.id),
            digest="daily",
            at=time(7, 30),
            timezone=ZoneInfo("Europe/Berlin"),
        ),
    )


def test_without_routes_everything_goes_to_everybody_but_ops() -> None:
    policy = read(URLS)
    assert policy.routes == (Route("all", tuple(one.target.id for one in policy.targets[:3])),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "urls: []\n", "urls:\n"])
def test_an_empty_file_tells_nobody(text: str) -> None:
    assert read(text) == Policy((), (Route("all"),))


def test_the_example_file_is_empty_and_right_once_its_comments_are_taken_away() -> None:
    text = shipped("alerts.example.yaml").read_text(encoding="utf-8")
    assert read(text).targets == ()
    filled = re.sub(r"^#(?! \S)", "", text, flags=re.MULTILINE)
    topics = list(watchlist.load(shipped("watchlist.yaml")).topics)
    known = Known(topics, [source.id for source in sources.load(shipped("sources.yaml"))])
    policy = read(filled.replace("TOKEN_A/TOKEN_B/TOKEN_C", HOOK.removeprefix("slack://")), known)
    assert [route.name for route in policy.routes] == ["strategic", "morning"]
    assert len(policy.targets) == 3


ROUTE = "routes:\n  - name: x\n    tags: [desk]\n"
DESK = f"urls:\n  - {HOOK}:\n      - tag: desk\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("urls:\n  - nonsense://x\n", 2, "is not a notification URL"),
        (f"urls:\n  - {HOOK}\n  - slack://{SECRET}\n", 3, "is not a notification URL"),
        (f"urls:\n  - {MAIL}&cc=c@desk.example\n", 2, "cc and bcc"),
        (f"urls:\n  - {HOOK}\n  - {HOOK}?footer=no\n", 3, "stands twice"),
        ("urls: x\n", 1, "is no list"),
        ("- x\n", 1, "there is no list"),
        ("urls: [\n", 2, "expected"),
        ("version: 1\nurl: []\n", 2, "unknown key 'url' (did you mean 'urls'?)"),
        (DESK + "routes: x\n", 4, "is no list"),
        (DESK + "routes:\n  - name: x\n", 5, "without `tags`"),
        (DESK + "routes:\n  - name: x\n    tags: [dsk, desk]\n", 5, "unknown tag 'dsk' (did you mean 'desk'?)"),
        (ROUTE, 2, "unknown tag 'desk' (known are none: no URL has a tag)"),
        (DESK + "routes:\n  - x\n" + ROUTE.removeprefix("routes:\n"), 5, "a route is"),
        (DESK + f"  - {MAIL}:\n      - tag: other\n" + ROUTE, 4, "no route leads to this target"),
        (DESK + ROUTE + "    topic: [x]\n", 7, "unknown key 'topic' (did you mean 'topics'?)"),
        (DESK + ROUTE + "    query: (a\n", 7, "12: query: "),
        (DESK + ROUTE + "    query: >-\n      (a\n", 7, "query: "),
        (DESK + ROUTE + "    quiet: 22\n", 7, "are not quiet hours"),
        (DESK + ROUTE + "    quiet: '22:00-25:00'\n", 7, "'25:00' is not a time of day"),
        (DESK + ROUTE + "    at: 07:00\n    digest: daily\n", None, ""),
        (DESK + ROUTE + "    at: seven\n", 7, "'seven' is not a time of day"),
        (DESK + ROUTE + "    digest: yearly\n", 7, "digest: "),
        (DESK + ROUTE + "    timezone: Berlin\n", 7, "'Berlin' is not a time zone"),
        (DESK + ROUTE + "    flood: {more_than: 0, within: 10m}\n", 7, "flood"),
        (DESK + ROUTE + "    flood: {more_than: 3, in: 10m}\n", 7, "`within`"),
        (DESK + ROUTE + "    flood: {more_than: 3, within: soon}\n", 7, "'soon' is not a duration"),
        (DESK + ROUTE + "  - name: x\n    tags: [desk]\n", 7, "route 'x' stands twice"),
    ],
)
def test_a_fault_names_the_line_and_no_secret(text: str, line: int | None, says: str) -> None:
    if line is None:
        assert read(text).routes[0].at == time(7)
        return
    with pytest.raises(AlertsError) as caught:
        read(text)
    assert str(caught.value).startswith(f"alerts.yaml:{line}:")
    assert says in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("topics: [navl, air]", "unknown topic 'navl' (did you mean 'naval'?)"),
        ("sources: paper-two", "unknown source 'paper-two' (did you mean 'paper-one'?)"),
    ],
)
def test_a_route_for_what_does_not_exist_is_an_error(condition: str, says: str) -> None:
    known = Known(topics=["naval", "air"], sources=["paper-one"])
    assert read(DESK + ROUTE + "    topics: [Naval]\n", known).routes
    with pytest.raises(AlertsError) as caught:
        read(DESK + ROUTE + f"    {condition}\n", known)
    assert str(caught.value) == f"alerts.yaml:7: {says}"


ALL_WRONG = f"""\
urls:
  - {HOOK}:
      - tag: desk
  - slack://{SECRET}:
      - tag: "second, third"
  - json://127.0.0.1:
      - tag: nobody
  - json://127.0.0.1/two
routes:
  - name: one
    tags: [desk, dsk]
    query: 'fleet AND (harbour'
    topics: [navl]
  - name: two
    tags: [second]
    timezone: Berlin
    at: "25:00"
    quiet: late
    flod: 3
  - tags: third
  - {{name: three, tags: desk}}
  - {{name: four, tags: desk}}
  - {{name: three, tags: desk}}
digests: []
"""


def test_all_faults_are_said_at_once_each_with_its_line_and_a_hint() -> None:
    with pytest.raises(AlertsError) as caught:
        read(ALL_WRONG, Known(["naval"], []))
    assert str(caught.value).splitlines() == [
        "alerts.yaml:4: this entry of `urls` is not a notification URL that can be read "
        "(Apprise knows how to write it: https://appriseit.com)",
        "alerts.yaml:6: no route leads to this target (give it a route's tag)",
        "alerts.yaml:8: no route leads to this target (give it a route's tag)",
        "alerts.yaml:10: unknown tag 'dsk' (did you mean 'desk'?)",
        "alerts.yaml:12:23: query: this parenthesis is never closed (put a ) where the group ends)",
        "alerts.yaml:13: unknown topic 'navl' (did you mean 'naval'?)",
        "alerts.yaml:16: timezone: 'Berlin' is not a time zone (did you mean 'Europe/Berlin'?)",
        "alerts.yaml:17: at: '25:00' is not a time of day (write it in quotes, such as '07:00')",
        "alerts.yaml:18: quiet: 'late' are not quiet hours (write '22:00-06:00')",
        "alerts.yaml:19: unknown key 'flod' (did you mean 'flood'?)",
        "alerts.yaml:20: a route without `name` (what was told is remembered under it)",
        "alerts.yaml:23: route 'three' stands twice (the first is on line 21)",
        "alerts.yaml:24: unknown key 'digests' (known are version, tag, tags, urls, routes)",
    ]
    assert pickle.loads(pickle.dumps(caught.value)).faults[3].line == 10


def test_addresses_come_from_the_environment_where_there_is_no_file() -> None:
    policy = load(Settings(apprise_urls=f"{HOOK} {MAIL}"))
    assert [one.target.name for one in policy.targets] == [
        "slack://T...2/A...D/T...Q",
        "a@desk.example via mail.example",
    ]
    with pytest.raises(AlertsError) as caught:
        load(Settings(apprise_urls=f"{HOOK} slack://{SECRET} nothing://{SECRET}"))
    first, second = str(caught.value).splitlines()
    assert first.startswith("URL 2 of APPRISE_URLS is not a notification URL")
    assert second.startswith("URL 3 of APPRISE_URLS is not a notification URL")
    assert SECRET not in first + second


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    with pytest.raises(AlertsError, match="there is no such file"):
        load(Settings(alerts=path))
