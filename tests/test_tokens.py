"""Folding: what a word is, and the way back to its place."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from watchfloor.tokens import LONGEST_SENTENCE, Sentences, Token, fold, search_tokens, tokenize


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Kyiv's air-defence", ["kyiv", "s", "air", "defence"]),
        ("U.S. 5th Fleet", ["u", "s", "5th", "fleet"]),
        ("Ołeh, Łódź, Ærø, İstanbul", ["oleh", "lodz", "aero", "istanbul"]),
        ("Straße, Crète, señor", ["strasse", "crete", "senor"]),
        ("Україна, Пу́тин, чёрный", ["украіна", "путин", "черныи"]),
        ("ﬁrst de\u00adfence cafe\u0301", ["first", "defence", "cafe"]),
        ("日本 防衛費", ["日本", "防衛費"]),
        ("F-16 100% 2,000", ["f", "16", "100", "2", "000"]),
        ("—“”…", []),
        ("", []),
        ("a\x00b \ud800", ["a", "b"]),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(text: str, words: list[str]) -> None:
    assert search_tokens(text) == words
    assert [token.text for token in tokenize(text)] == words


def test_every_word_knows_its_place() -> None:
    text = "The  “ﬁrst” café\u0301 — Straße’s end"
    assert [(token.text, text[token.start : token.end]) for token in tokenize(text)] == [
        ("the", "The"),
        ("first", "ﬁrst"),
        ("cafe", "café\u0301"),
        ("strasse", "Straße"),
        ("s", "s"),
        ("end", "end"),
    ]
    assert tokenize("½ ton") == [Token("1", 0, 1), Token("2", 0, 1), Token("ton", 2, 5)]


def test_spaces_count_once_but_a_comma_parts_words() -> None:
    assert fold("New   START").text == " new start "
    assert fold("army, navy").text == " army  navy "


alphabet = st.text(st.sampled_from("ab X-.,’é½ﬁ…ßЙї\u0301\u00ad  Ł\n日"), max_size=30)


@given(alphabet | st.text(max_size=60))
@example("ß  ½ﬁ")
def test_a_word_cut_out_of_the_original_folds_to_itself(text: str) -> None:
    for token in tokenize(text):
        assert 0 <= token.start < token.end <= len(text)
        assert token.text in "".join(search_tokens(text[token.start : token.end]))


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert search_tokens(" ".join(search_tokens(text))) == search_tokens(text)


@pytest.mark.parametrize(
    ("text", "offset", "sentence"),
    [
        ("Troops left. Others came! Why?", 14, "Others came!"),
        ("Troops left. Others came! Why?", 0, "Troops left."),
        ("Gen. Smith of the U.S. Army spoke. He left.", 20, "Gen. Smith of the U.S. Army spoke."),
        ("He said “Go.” They went.", 14, "They went."),
        ("It cost 2.5 million. Then 3.", 10, "It cost 2.5 million."),
        ("A headline\nThe first line", 3, "A headline"),
        ("A headline\n\nThe first line", 14, "The first line"),
        ("no end", 3, "no end"),
        ("Всё. Новое предложение.", 6, "Новое предложение."),
    ],
)
def test_finds_the_sentence_around_a_place(text: str, offset: int, sentence: str) -> None:
    assert Sentences(text).at(offset) == sentence


def test_a_span_over_several_sentences_has_them_all() -> None:
    text = "One. The army.  Troops\nmove on. Four."
    assert Sentences(text).at(text.index("army"), text.index(" on")) == "The army.  Troops\nmove on."


@pytest.mark.parametrize("kinds", [10, 3_000])
def test_many_kinds_of_characters_fold_as_few_do(kinds: int) -> None:
    characters = [chr(0x1E00 + number * 7) for number in range(kinds)]
    assert fold(" ".join(characters)).text == f" {' '.join(fold(one).text[1:-1] for one in characters)} "


def test_of_a_sentence_that_never_ends_a_piece_is_kept() -> None:
    text = "tanks and drones " * 10_000
    sentence = Sentences(text).at(90_000)
    assert len(sentence) <= LONGEST_SENTENCE
    assert text[90_000:90_017].strip() in sentence


def test_an_ellipsis_leaves_every_place_where_it_was() -> None:
    text = "Talks … go on… and on"
    folded = fold(text)
    assert folded.even
    assert [
        text[slice(*folded.span(*place))] for place in [(folded.text.index(" go "), folded.text.index(" go ") + 4)]
    ] == ["go"]


@pytest.mark.parametrize("before", [0, 240, 250, 260, 900])
def test_a_sentence_begins_where_it_does_however_much_stands_before_it(before: int) -> None:
    text = f"It is said{' again' * (before // 6)}. " * 2 + "Troops leave Iraq. They stay."
    assert Sentences(text).at(text.index("leave")) == "Troops leave Iraq."
    assert Sentences(text).at(text.index("said")) == f"It is said{' again' * (before // 6)}."
