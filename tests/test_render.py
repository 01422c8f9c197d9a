from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.charts import bars
from alerts.render import render, render_terminal, safe_url, tame
from alerts.samples import samples, try_templates
from watchfloor.errors import AlertsError
from watchfloor.model import Alert, Brief, Grade

NOON = datetime(2026, 7, 14, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

BRIEF = Brief(
    story_id=1,
    headline="Fleet & crew <return>",
    url="https://paper.example/fleet?a=1&b=2",
    publisher="Paper One",
    others=("Two", "Three", "Four", "Five", "Six"),
    published=NOON,
    first_seen=NOON + timedelta(minutes=5),
    sentence="The allied fleet returned to NATO's harbour.",
    marks=((4, 16), (29, 33)),
    topics=("naval", "alliances"),
    entities=("NATO", "Kiel"),
    grade=Grade.TEASER,
    score=7.25,
)
STORY = Alert("story:1:all", "story", "all", NOON, "naval (6 publishers)", (BRIEF,))


def test_a_story_in_plain_text() -> None:
    assert render(STORY, BERLIN, desk="http://desk.example").text == (
        "naval (6 publishers)\n"
        "\n"
        "Fleet & crew <return>\n"
        "Paper One, Two, Three, Four and 2 more\n"
        "Tue 14 Jul 2026, 12:00 CEST\n"
        "\n"
        "    The *allied fleet* returned to *NATO*'s harbour.\n"
        "\n"
        "Topics: naval, alliances\n"
        "Named: NATO, Kiel\n"
        "teaser only, score 7.2\n"
        "https://paper.example/fleet?a=1&b=2\n"
        "On the desk: http://desk.example/story/1\n"
        "\n"
        "-- \n"
        "Watchfloor, route all\n"
    )


def test_a_story_in_slack() -> None:
    assert render(STORY, BERLIN).slack == (
        "*naval (6 publishers)*",
        "*<https://paper.example/fleet?a=1&amp;b=2|Fleet &amp; crew &lt;return&gt;>*\n"
        "Paper One, Two, Three, Four and 2 more · Tue 14 Jul 2026, 12:00 CEST\n"
        "> The *allied fleet* returned to *NATO*'s harbour.\n"
        "naval, alliances · NATO, Kiel · teaser only · score 7.2",
    )


def test_a_story_in_html_is_escaped_and_its_terms_are_marked() -> None:
    html = render(STORY, BERLIN).html
    assert '<a href="https://paper.example/fleet?a=1&amp;b=2">Fleet &amp; crew &lt;return&gt;</a>' in html
    assert "The <mark>allied fleet</mark> returned to <mark>NATO</mark>&#39;s harbour." in html
    assert "prefers-color-scheme: dark" in html


def test_a_story_on_the_terminal() -> None:
    assert render_terminal(STORY, BERLIN, width=60) == (
        "* Fleet & crew <return>\n"
        "  Paper One, Two, Three, Four and 2 more · Tue 14 Jul 2026,\n"
        "  12:00 CEST\n"
        "    The [allied fleet] returned to [NATO]'s harbour.\n"
        "  naval, alliances · NATO, Kiel · teaser only · score 7.2\n"
        "  https://paper.example/fleet?a=1&b=2"
    )
    hostile = replace(STORY, briefs=(replace(BRIEF, headline="\x1b[2Jgone \x1b]0;title\x07"),))
    assert "\x1b" not in render_terminal(hostile, BERLIN)


def test_the_subject_names_the_headline_and_the_title_does_not() -> None:
    message = render(replace(STORY, kind="update"), BERLIN)
    assert (message.subject, message.title) == ("Update: Fleet & crew <return>", "naval (6 publishers)")
    assert message.notice == "naval (6 publishers): Fleet &amp; crew &lt;return&gt;"
    many = render(replace(STORY, kind="digest", subject="Daily digest"), BERLIN, names={"naval": "Ships & fleets"})
    assert (many.subject, many.notice) == ("Daily digest: Ships & fleets", "Daily digest: Ships &amp; fleets")


def test_the_subject_of_a_message_about_the_monitor_says_what_is_wrong() -> None:
    ops = replace(STORY, kind="ops", subject="Watchfloor: 1 new trouble", briefs=(), lines=("Paper One is silent.",))
    message = render(ops, BERLIN)
    assert message.title == "Watchfloor: 1 new trouble"
    assert message.subject == message.notice == "Watchfloor: 1 new trouble: Paper One is silent."


def test_an_update_says_what_is_new_and_a_late_one_how_old_it_is() -> None:
    late = replace(BRIEF, news="Now 3 publishers carry it.", first_seen=NOON + timedelta(days=3, hours=1))
    message = render(replace(STORY, kind="update", briefs=(late,)), BERLIN)
    for form in (message.text, message.html, message.slack[1]):
        assert "Now 3 publishers carry it." in form
        assert "came out 3 days before it was found" in form


def test_a_digest_is_grouped_by_topic_and_closes_with_its_blind_spots() -> None:
    other = replace(BRIEF, story_id=2, topics=("air",))
    last = replace(BRIEF, story_id=3)
    lines = ("From Monday to Tuesday.", "2 sources were silent.")
    message = render(replace(STORY, kind="digest", briefs=(BRIEF, other, last), lines=lines), BERLIN)
    marked = [line for line in message.text.splitlines() if line.startswith("==") or line in lines]
    assert marked == [lines[0], "== naval ==", "== air ==", "== Blind spots ==", lines[1]]
    assert (message.slack[1], message.slack[-1]) == (lines[0], f"*Blind spots*\n{lines[1]}")


NAMES = {"naval": "Ships & fleets", "air": "Air"}


def big_digest() -> Alert:
    topics = ("naval", "naval", "air", "naval")
    briefs = tuple(replace(BRIEF, story_id=number, topics=(topic,)) for number, topic in enumerate(topics))
    return replace(STORY, kind="digest", briefs=briefs, lines=("From Monday to Tuesday.",))


def test_a_digest_opens_with_its_picture_and_the_same_figures_as_text() -> None:
    message = render(big_digest(), BERLIN, names=NAMES)
    assert message.picture is not None
    assert message.picture.startswith(b"\x89PNG")
    assert 'src="cid:picture@watchfloor" alt="Stories by topic: Ships &amp; fleets 3, Air 1"' in message.html
    assert "  Ships & fleets                       3  ##############################\n" in message.text
    assert "Stories by topic: Ships &amp; fleets 3, Air 1." in message.slack[1]
    assert "<img" not in message.plain_html
    assert 'src="data:image/png;base64,' in message.standalone()


def test_of_three_stories_there_is_nothing_to_draw() -> None:
    few = replace(big_digest(), briefs=big_digest().briefs[:3])
    assert render(few, BERLIN).picture is None
    assert render(replace(big_digest(), kind="flood"), BERLIN).picture is None


def test_without_matplotlib_the_figures_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    bars.cache_clear()
    message = render(big_digest(), BERLIN, names=NAMES)
    bars.cache_clear()
    assert message.picture is None
    assert "<img" not in message.html
    assert "Stories by topic: Ships &amp; fleets 3, Air 1" in message.html
    assert message.standalone() == message.html


def test_who_prints_the_same_text_is_named_apart() -> None:
    copied = replace(BRIEF, others=("Two",), wire="Reuters", copies=("Three", "Four"))
    text = render(replace(STORY, briefs=(copied,)), BERLIN).text
    assert "Paper One (Reuters), Two\nSame text: Three, Four\n" in text


def test_five_hundred_stories_fit_and_the_rest_is_counted() -> None:
    briefs = tuple(replace(BRIEF, story_id=number) for number in range(500))
    message = render(replace(STORY, kind="flood", briefs=briefs), BERLIN)
    assert message.html.count('class="story"') == 60
    assert "440 more are in the archive." in message.html
    assert "440 more are in the archive." in message.text
    assert message.slack[-1] == "480 more are in the archive."
    assert len(message.slack) <= 50


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\r\nBcc: x", "a Bcc: x"),
        ("a\x00b\ud800c\u202ed\U000e0041e", "abcde"),
        ("می\u200cروم", "می\u200cروم"),
        ("x" * 20, "x" * 9 + "…"),
        ("  ", ""),
    ],
)
def test_foreign_text_becomes_one_visible_line(given: str, shown: str) -> None:
    assert tame(given, 10) == shown


@pytest.mark.parametrize(
    ("given", "linked"),
    [
        ("https://paper.example/a|b>c\"d'e", "https://paper.example/a%7Cb%3Ec%22d%27e"),
        ("https://paper.example/ü%20x", "https://paper.example/%C3%BC%20x"),
        ("https://paper.example/\r\n\ud800x", "https://paper.example/%0D%0Ax"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("http://[::1", None),
        ("https://", None),
        (None, None),
    ],
)
def test_links_lead_to_the_web_and_end_where_they_should(given: str | None, linked: str | None) -> None:
    assert safe_url(given) == linked


def test_marks_outside_the_sentence_do_no_harm() -> None:
    odd = replace(BRIEF, marks=((5, 3), (-4, 2), (4, 9), (6, 12), (40, 900)))
    assert "The *allie*d fleet returned" in render(replace(STORY, briefs=(odd,)), BERLIN).text


def test_a_user_overrides_a_template(tmp_path: Path) -> None:
    (tmp_path / "mail.html.j2").write_text("<b>{{ groups[0][1][0].headline }}</b>", encoding="utf-8")
    message = render(STORY, BERLIN, templates=tmp_path)
    assert message.html == "<b>Fleet &amp; crew &lt;return&gt;</b>"
    assert message.text == render(STORY, BERLIN).text


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("mail.html.j2", "<b>\n{{ title }\n", ":2: "),
        ("mail.html.j2", "<b>\n\n{% for story in stories.all %}{% endfor %}", ":3: "),
        ("mail.txt.j2", "{{ title }}\n{{ title | shout }}", ":2: "),
        ("mail.txt.j2", "{{ groups[0][1][0].no.such }}", ":1: "),
    ],
)
def test_a_template_that_cannot_be_used_is_an_error_with_its_line(
    tmp_path: Path, name: str, text: str, place: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(AlertsError) as caught:
        try_templates(tmp_path, NOON)
    assert str(caught.value).startswith(f"{tmp_path / name}{place}")


def test_our_own_templates_pass(tmp_path: Path) -> None:
    try_templates(tmp_path, NOON)
    kinds = [one.kind for one in samples(NOON, BERLIN)]
    assert kinds == ["story", "update", "baseline", "digest", "flood", "ops", "ops"]


def test_samples_name_topics_as_the_watchlist_does() -> None:
    story = samples(NOON, BERLIN, {"force-posture": "Ships & fleets"})[0]
    assert story.subject == "Ships & fleets (2 publishers)"
