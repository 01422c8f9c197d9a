"""Judging: what counts, how much, and where it stands in the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.match import ALONE, BODY_CAP, IN_BODY, IN_LEAD, IN_TITLE, Matcher
from watchfloor.model import Evidence, Mention, Verdict
from watchfloor.spelling import forms
from watchfloor.tokens import search_tokens
from watchfloor.watchlist import parse

LIST = """\
threshold: 4
topics:
  - id: arms-control
    name: Arms control
    keywords:
      - {terms: [warhead, arms control, cease-fire, defence programme], weight: 3}
      - {term: draft, weight: 3, needs: [conscription], not: [beer]}
      - {term: CAST, weight: 3, case: true}
      - {term: invad*, weight: 3}
      - {term: army, weight: 2}
      - {term: Abrüstung, weight: 3, lang: de}
      - {term: fleet, weight: 1}
  - id: force-posture
    name: Force posture
contexts:
  - {id: sport, weight: -1, keywords: [quarterback, touchdown, league, playoffs]}
harmless: [salvation army, defense attorney]
groups:
  forces: [troops, army]
  moves: [deploy*, arriv*]
rules:
  - {name: on the move, near: [forces, moves], within: 2, weight: 2, topic: force-posture}
  - {name: debate, query: 'title:(powers OR mandate) AND congress', weight: 2, topic: force-posture}
  - {name: treaty talk, query: 'talks AND entity:"New START"', weight: 2, topic: arms-control}
countries:
  United States: [{alias: US, case: true, exact: true}]
entities:
  - name: New START
    kind: treaty
    topics: [arms-control]
    weight: 3
    aliases: [START-3, {alias: START, case: true, needs: [treaty, nuclear]}, {alias: СНВ-III, lang: ru}]
  - {name: US Army, kind: service, topics: [force-posture], weight: 2}
"""


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(parse(LIST))


def told(verdict: Verdict) -> list[tuple[str, str, float]]:
    return [(evidence.term, evidence.field, evidence.weight) for evidence in verdict.evidence]


def names(verdict: Verdict) -> list[str]:
    return [entity.name for entity in verdict.entities]


LEAD = "The rest of it is of no interest to the desk, and to be left for another day."
DEEP = " ".join(["the rest of it is of no interest"] * 10)


def test_a_verdict_says_what_where_and_how_much(matcher: Matcher) -> None:
    title, text = "Arms-control hopes", f"Talks failed. A U.S. warhead, he said, is new. {LEAD}"
    verdict = matcher.judge(title, text)
    assert verdict == Verdict(
        judged=True,
        language="en",
        relevant=True,
        score=7.5,
        threshold=4,
        topics=("arms-control",),
        entities=verdict.entities,
        evidence=(
            Evidence("arms control", "title", 0, 12, 4.5, "Arms-control hopes", "arms-control"),
            Evidence("warhead", "text", 21, 28, 3.0, "A U.S. warhead, he said, is new.", "arms-control"),
        ),
        watchlist=matcher.watchlist.version,
    )
    assert [entity.mentions for entity in verdict.entities] == [(Mention("text", 16, 20, "U.S."),)]


def test_title_lead_and_body_count_differently(matcher: Matcher) -> None:
    assert told(matcher.judge("A warhead", LEAD)) == [("warhead", "title", 3 * IN_TITLE)]
    assert told(matcher.judge("News", f"A warhead {LEAD}")) == [("warhead", "text", 3 * IN_LEAD)]
    assert told(matcher.judge("News", f"{DEEP} a warhead")) == [("warhead", "text", round(3 * IN_BODY, 2))]


def test_a_headline_alone_counts_more(matcher: Matcher) -> None:
    assert told(matcher.judge("A warhead", "")) == [("warhead", "title", 3 * ALONE)]


def test_repetition_says_less_and_less(matcher: Matcher) -> None:
    verdict = matcher.judge("News", f"A warhead, a warhead, a warhead and a warhead {LEAD}")
    assert told(verdict) == [("warhead", "text", 3.0), ("warhead", "text", 1.5), ("warhead", "text", 0.75)]


def test_asides_deep_in_the_body_are_no_story(matcher: Matcher) -> None:
    verdict = matcher.judge("News", f"{DEEP} warhead, arms control, cease-fire, army, invaded, fleet, START-3")
    assert verdict.score == BODY_CAP
    assert not verdict.relevant


def test_contexts_take_away_up_to_a_limit(matcher: Matcher) -> None:
    verdict = matcher.judge(
        "News", f"An army of fans saw the quarterback, the touchdown, the league and playoffs {LEAD}"
    )
    assert verdict.score == 2 - 3
    assert {(one.kind, one.topic) for one in verdict.evidence if one.weight < 0} == {("context", "sport")}
    assert verdict.topics == ("arms-control",)


@pytest.mark.parametrize(
    "text",
    [
        "the defense program",
        "the Defence Programmes",
        "a ceasefire",
        "cease fires",
        "CEASE-FIRE",
        "warhead's",
        "they invade",
        "invading",
        "an invader",
        "wárhead",
        "de\u00adfence programme",
    ],
)
def test_spelling_plural_possessive_hyphen_and_accent_do_not_matter(matcher: Matcher, text: str) -> None:
    assert len(matcher.judge("", f"He saw {text} {LEAD}").evidence) == 1


@pytest.mark.parametrize("text", ["warheadless", "nonwarhead", "arms, control", "arms in control", "ceasefiring"])
def test_only_whole_words_and_unbroken_phrases_count(matcher: Matcher, text: str) -> None:
    assert matcher.judge("", f"He saw {text} {LEAD}").evidence == ()


def test_an_ambiguous_word_needs_its_neighbours(matcher: Matcher) -> None:
    assert told(matcher.judge("", f"The draft means conscription {LEAD}")) == [("draft", "text", 3.0)]
    assert matcher.judge("", f"The draft of the bill {LEAD}").evidence == ()
    assert matcher.judge("", f"After conscription a draft beer {LEAD}").evidence == ()
    assert matcher.judge("", f"The draft {DEEP} conscription").evidence == ()
    assert told(matcher.judge("Conscription", f"{DEEP} the draft")) == [("draft", "text", round(3 * IN_BODY, 2))]


def test_a_term_can_insist_on_its_capitals(matcher: Matcher) -> None:
    assert told(matcher.judge("", f"The CAST met {LEAD}")) == [("CAST", "text", 3.0)]
    assert told(matcher.judge("", f"The C.A.S.T. met {LEAD}")) == [("CAST", "text", 3.0)]
    assert matcher.judge("", f"The cast met {LEAD}").evidence == ()
    assert matcher.judge("THE CAST MET", LEAD).evidence == ()  # where all shout, capitals say nothing


def test_harmless_phrases_swallow_what_is_in_them(matcher: Matcher) -> None:
    assert matcher.judge("", f"The Salvation Army deployed vans {LEAD}").evidence == ()
    assert told(matcher.judge("", f"The Salvation Army met the army {LEAD}")) == [("army", "text", 2.0)]


def test_of_overlapping_terms_the_longest_wins(matcher: Matcher) -> None:
    verdict = matcher.judge("", f"A US Army post {LEAD}")
    assert told(verdict) == [("US Army", "text", 2.0)]
    assert names(verdict) == ["US Army"]


def test_names_are_found_under_all_their_forms(matcher: Matcher) -> None:
    text = f"The START treaty, START-3, New START; a start in U.S. talks {LEAD}"
    verdict = matcher.judge("", text)
    by_name = {entity.name: entity for entity in verdict.entities}
    assert [mention.text for mention in by_name["New START"].mentions] == ["START", "START-3", "New START"]
    assert [mention.text for mention in by_name["United States"].mentions] == ["U.S."]
    assert (by_name["New START"].kind, by_name["United States"].kind) == ("treaty", "country")


def test_countries_are_tagged_but_say_nothing_of_relevance(matcher: Matcher) -> None:
    verdict = matcher.judge("France and Germany agree", "")
    assert (names(verdict), verdict.score) == (["France", "Germany"], 0.0)


def test_groups_near_each_other_make_a_rule(matcher: Matcher) -> None:
    rule = [one for one in matcher.judge("", f"Fresh troops have now arrived {LEAD}").evidence if one.kind == "rule"]
    assert [(one.term, one.start, one.end, one.weight) for one in rule] == [("on the move", 6, 29, 2.0)]
    assert matcher.judge("", f"Troops said that they have now arrived {LEAD}").evidence == ()
    assert told(matcher.judge("", f"Deployed: troops {LEAD}")) == [("on the move", "text", 2.0)]


def test_a_query_makes_a_rule(matcher: Matcher) -> None:
    assert told(matcher.judge("War powers", f"Congress voted {LEAD}")) == [("debate", "title", 2 * IN_TITLE)]
    assert matcher.judge("War", f"Congress voted on powers {LEAD}").evidence == ()
    assert ("treaty talk", "text", 2.0) in told(matcher.judge("", f"Talks on START-3 {LEAD}"))


def test_other_languages_have_their_own_words(matcher: Matcher) -> None:
    german = "Die Abrüstung kommt nicht voran, sagte der Minister in Berlin, und die Gespräche sind vertagt worden."
    assert told(matcher.judge("Abrüstung", german)) == [("Abrüstung", "title", 4.5), ("Abrüstung", "text", 1.5)]
    assert "Germany" in names(matcher.judge("Deutschland", german))


def test_a_language_without_words_is_not_judged(matcher: Matcher) -> None:
    portuguese = (
        "O governo português anunciou hoje a compra de novas viaturas para o exército e para a marinha do país."
    )
    assert matcher.judge("Notícia", portuguese) == Verdict(
        False, "pt", False, 0.0, 4.0, watchlist=matcher.watchlist.version
    )


def test_short_headlines_are_taken_for_what_is_declared(matcher: Matcher) -> None:
    assert matcher.judge("KNDS F126", "").language == "en"
    assert matcher.judge("KNDS F126", "", language="de-DE").language == "de"
    assert matcher.judge("KNDS F126", "", language="pt_BR").judged is False


def test_nothing_is_judged_as_english_and_irrelevant(matcher: Matcher) -> None:
    assert matcher.judge("", "") == Verdict(True, "en", False, 0.0, 4.0, watchlist=matcher.watchlist.version)


PIECES = ["warhead", "army", "U.S.", "START", "New START", "troops", "deployed", "quarterback", "½", "e\u0301", "’s",
          ", ", " ", "  ", "\n", ". ", "The", "Salvation Army", "ﬁ", "arms-control", "Łódź", "\u200b"]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join) | st.lists(
    st.sampled_from(PIECES), max_size=30
).map(" ".join)


# As the web writes words: each way folds to the plain word.
DRESSES = [
    str.upper,
    str.title,
    "\u0301".join,  # a mark between the letters
    lambda word: word + "\u0323\u0308",
    "\u00ad".join,  # soft hyphens
    "\u200b".join,  # zero width
    lambda word: f"\u200f\u2067{word}\u2069",  # right to left
    lambda word: "".join(
        chr(ord(letter) + 0xFEE0) if letter.isascii() and letter.isalpha() else letter for letter in word
    ),
    lambda word: word.replace("fi", "ﬁ").replace("ss", "ß").replace("i", "İ").replace("st", "ﬆ"),
    lambda word: word.replace(" ", "   "),
    lambda word: word.replace(" ", "\u00a0"),
    lambda word: word.replace(" ", "\n"),
    lambda word: f"\U0001f600{word}\U0001f469\u200d\U0001f467",
]
WORDS = ["warhead", "cease-fire", "army", "arms control", "New START", "troops", "deployed", "invasion fleet",
         "Abrüstung", "US Army", "U.S. Army", "quarterback", "invadiﬃng", "СНВ-III", "powers", "congress",
         "talks"]  # fmt: skip
JOINTS = [
    " ",
    "  ",
    ", ",
    ". ",
    "\n",
    "\r\n",
    "\t",
    "’s ",
    "\u2028",
    " 日本 ",
    " שלום ",
    "؟ ",
    "½ ",
    "\ud83d ",
    "\x00",
    "\u0301 ",
]
dressed = st.builds(lambda word, dress: dress(word), st.sampled_from(WORDS), st.sampled_from([str, *DRESSES]))
hostile = st.lists(st.one_of(dressed, st.sampled_from(JOINTS)), max_size=40).map("".join)


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("word", ["warhead", "arms control", "cease-fire"])
def test_a_dressed_word_is_cut_out_as_it_stands(word: str, dress: Callable[[str], str]) -> None:
    found = dress(word)
    text = f"½ “The {found}” held. It is the end."
    (evidence,) = _MATCHER.judge("", text, language="en").evidence
    cut = text[evidence.start : evidence.end]
    assert cut in found
    assert search_tokens(cut) == search_tokens(word)
    assert evidence.sentence == f"½ “The {found}” held."


@given(texts | hostile, texts | hostile, st.sampled_from(["en", "de", "ru"]))
def test_every_span_is_cut_out_of_its_text_and_the_sum_is_the_score(title: str, text: str, language: str) -> None:
    matcher = _MATCHER
    verdict = matcher.judge(title, text, language=language)
    for evidence in verdict.evidence:
        field = title if evidence.field == "title" else text
        assert 0 <= evidence.start < evidence.end <= len(field)
        cut = field[evidence.start : evidence.end]
        assert cut in evidence.sentence
        assert evidence.sentence in field
        if evidence.kind in ("keyword", "context"):
            assert _is_form(evidence.term, cut)
    for entity in verdict.entities:
        known = next(one for one in matcher.watchlist.entities if one.name == entity.name)
        for mention in entity.mentions:
            cut = (title if mention.field == "title" else text)[mention.start : mention.end]
            assert cut == mention.text
            assert any(_is_form(spelling.text, cut) for spelling in known.spellings)
    assert verdict.score == round(sum(evidence.weight for evidence in verdict.evidence), 2)


def _is_form(term: str, cut: str) -> bool:
    """Is it the term, written in one of its ways, with nothing more or less?"""
    words = " ".join(search_tokens(cut))
    known = {" ".join(form.split()) for form in forms(term.rstrip("*"))}
    return any(words.startswith(form) for form in known) if term.endswith("*") else words in known


_MATCHER = Matcher(parse(LIST))
