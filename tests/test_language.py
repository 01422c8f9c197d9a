"""Which language a text is in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from watchfloor import language
from watchfloor.tokens import fold

GERMAN = "Der Bundestag hat am Freitag mehr Geld für Kasernen und Sold bewilligt, sagte ein Sprecher in Berlin."


def test_threads_that_need_the_model_at_once_load_it_once() -> None:
    language._model.cache_clear()
    together = Barrier(4)

    def ask() -> str:
        together.wait()
        return language.identify(fold(""), fold(GERMAN))

    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(ask) for _ in range(4)]
    assert [one.result() for one in found] == ["de"] * 4
    assert language._model.cache_info().misses == 1


def test_the_model_holds_nothing_of_other_languages() -> None:
    model = language._model()
    model.set_languages()  # all that it has
    assert set(model.labels) == set(language.NEWS_LANGUAGES)


LISTED = ("en", "de", "fr", "es", "pl", "uk", "ru")


@pytest.mark.parametrize(
    ("headline", "spoken"),
    [
        ("Wojsko kupi nowe K9", "pl"),
        ("Шахеди атакували Одесу", "uk"),
        ("Marruecos compra HIMARS", "es"),
        ("Vojska kupuje nove tenkove", "hr"),
        ("Governo reduz orçamento da defesa", "pt"),
        ("Армията купува нови танкове", "bg"),
        ("Il governo taglia la spesa militare", "it"),
    ],
)
def test_a_short_headline_is_taken_for_a_language_of_the_list_where_it_may_as_well_be(
    headline: str, spoken: str
) -> None:
    assert language.identify(fold(headline), fold(""), judged=LISTED) == spoken


def test_a_declared_language_without_words_stays_what_it_says() -> None:
    assert language.identify(fold("Vojska kupi nove K9"), fold(""), "hr", LISTED) == "hr"
