"""Which language a text is in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

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
