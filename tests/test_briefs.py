"""What a message says of a story: its best article, its voices, the sentence and where it is marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from watchfloor.briefs import Judgement, brief_of, merge_spans
from watchfloor.model import Article, Brief, EntityHit, Evidence, Field, Grade, Mention, Verdict

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TEXT = "Ministers met in Ankara. They agreed to send troops and more troops to Iraq, said the minister."
SENTENCE = "They agreed to send troops and more troops to Iraq, said the minister."


def article(id: int, publisher: str, **changes: object) -> Article:
    made = Article(
        id=id,
        source_id=publisher.lower(),
        publisher=publisher,
        title="NATO sends troops",
        text=TEXT,
        grade=Grade.FULL,
        text_from="page",
        first_seen=NOON + timedelta(minutes=id),
        url=f"https://{publisher.lower()}.example/{id}",
        published=NOON,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def evidence(word: str, weight: float, field: Field = "text", nth: int = 0) -> Evidence:
    where = TEXT if field == "text" else "NATO sends troops"
    start = -1
    for _ in range(nth + 1):
        start = where.index(word, start + 1)
    sentence = where if field == "title" else SENTENCE if start > 24 else TEXT[:24]
    return Evidence(word, field, start, start + len(word), weight, sentence)


def verdict(score: float, *evidence: Evidence, **changes: object) -> Verdict:
    made = Verdict(True, "en", True, score, 1.0, ("operations",), (), evidence)
    return replace(made, **changes)  # type: ignore[arg-type]


def entity(name: str, times: int, by: str = "list") -> EntityHit:
    return EntityHit(name, "place", (Mention("text", 0, 1, "x"),) * times, by)


def test_a_brief_sums_up_its_articles_in_any_order() -> None:
    members = [
        Judgement(article(1, "Gazette", grade=Grade.TEASER), verdict(9.0, entities=(entity("Iraq", 3),))),
        Judgement(
            article(2, "Courier"),
            verdict(3.0, evidence("troops", 2.0), topics=("alliances",), entities=(entity("NATO", 2),)),
        ),
        Judgement(
            article(3, "Herald", official=True),
            verdict(2.0, entities=(entity("NATO", 2), entity("Ankara", 1, by="model"))),
        ),
    ]
    expected = Brief(
        story_id=7,
        headline="NATO sends troops",
        url="https://courier.example/2",
        publisher="Courier",
        others=("Gazette", "Herald"),
        published=NOON,
        first_seen=NOON + timedelta(minutes=1),
        sentence=SENTENCE,
        marks=((20, 26),),
        topics=("alliances", "operations"),
        entities=("NATO", "Iraq", "Ankara"),
        grade=Grade.FULL,
        score=9.0,
        articles=3,
        official=True,
        source_ids=("gazette", "courier", "herald"),
        watched=("NATO", "Iraq"),
    )
    assert {brief_of(7, order) for order in permutations(members)} == {expected}


def test_all_reasons_in_favour_within_the_sentence_are_marked() -> None:
    reasons = (
        evidence("troops", 2.0),
        evidence("troops", 1.0, nth=1),
        evidence("Iraq", 0.5),
        evidence("minister", -1.0),
        evidence("Ankara", 1.5),
        evidence("NATO", 1.9, "title"),
    )
    brief = brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, *reasons))])
    assert brief.sentence == SENTENCE
    assert [brief.sentence[start:end] for start, end in brief.marks] == ["troops", "troops", "Iraq"]


def test_the_text_says_why_before_the_headline_does() -> None:
    reasons = (evidence("NATO", 9.0, "title"), evidence("troops", 0.5, nth=1))
    assert brief_of(1, [Judgement(article(1, "Gazette"), verdict(9.5, *reasons))]).sentence == SENTENCE


def test_the_first_sentence_that_tells_nearly_as_much_is_shown() -> None:
    opening, later = evidence(TEXT[:4], 1.0), evidence("troops", 1.9, nth=1)
    assert opening.sentence != later.sentence == SENTENCE
    assert brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, opening, later))]).sentence == opening.sentence
    later = evidence("troops", 2.1, nth=1)
    assert brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, opening, later))]).sentence == SENTENCE


def test_the_headline_is_shown_where_the_text_has_no_reason() -> None:
    brief = brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, evidence("NATO", 1.9, "title")))])
    assert (brief.sentence, brief.marks) == ("NATO sends troops", ((0, 4),))


def test_a_sentence_that_is_not_found_is_shown_without_marks() -> None:
    shortened = evidence("troops", 2.0)._replace(sentence="They agreed … troops")
    brief = brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, shortened))])
    assert (brief.sentence, brief.marks) == ("They agreed … troops", ())
    assert brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0))]).sentence == ""


def test_papers_that_print_one_wire_are_one_voice() -> None:
    wired = f"ANKARA, Nov 24 (Reuters) - {TEXT}"
    members = [
        Judgement(article(1, "Gazette", text=wired), verdict(3.0)),
        Judgement(article(2, "Courier", text=wired), verdict(2.0)),
        Judgement(article(3, "Reuters"), verdict(2.0)),
        Judgement(article(4, "Herald"), verdict(2.0)),
    ]
    brief = brief_of(1, members)
    assert (brief.publisher, brief.wire, brief.others) == ("Gazette", "Reuters", ("Herald",))
    assert brief.copies == ("Courier",)


def test_of_a_rule_that_spans_a_clause_the_ends_are_marked() -> None:
    clause, near = "troops and more troops to Iraq", "to Iraq"
    reasons = (evidence("minister", 3.0, nth=0), evidence(clause, 2.0)._replace(kind="rule"))
    brief = brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, *reasons))])
    assert [brief.sentence[start:end] for start, end in brief.marks] == ["troops", "Iraq", "minister"]
    short = (evidence("minister", 3.0), evidence(near, 2.0)._replace(kind="rule"))
    brief = brief_of(1, [Judgement(article(1, "Gazette"), verdict(3.0, *short))])
    assert [brief.sentence[start:end] for start, end in brief.marks] == ["to Iraq", "minister"]


def test_papers_that_print_another_papers_text_are_named_and_not_counted() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    members = [
        Judgement(article(1, "Gazette", text=words), verdict(2.0)),
        Judgement(article(2, "Courier", text=f"By Ann Writer\n\nKIEL (Reuters) - {words}"[:400]), verdict(1.0)),
        Judgement(article(3, "Herald", text=words[:350]), verdict(3.0)),
        Judgement(article(4, "Lantern", text=words.replace("word5 ", "other ")), verdict(1.0)),
    ]
    brief = brief_of(1, members)
    assert (brief.publisher, brief.wire, brief.others) == ("Herald", "Reuters", ("Lantern",))  # one of them credits it
    assert brief.copies == ("Gazette", "Courier")
    assert brief_of(1, members[::-1]) == brief


def test_spans_that_overlap_or_touch_are_one() -> None:
    assert merge_spans([(8, 9), (0, 3), (2, 5), (5, 6)]) == ((0, 6), (8, 9))
    assert merge_spans([(0, 3), (4, 7), (9, 12)], "air defence, ships") == ((0, 7), (9, 12))
