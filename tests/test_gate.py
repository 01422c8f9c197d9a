"""The gate: what matters is read in full and told as without it; the rest keeps a rougher text and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.armour.corpus import rss, xml
from tests.armour.floors import matcher, open_floor
from tests.servers import Script, Server, on_loop, reply
from watchfloor import pipeline
from watchfloor.model import Grade, Source

WAR = "The army fired three ballistic missiles at the naval base, the ministry of defence said. "
GARDEN = "The garden behind the town hall has new roses, and the mayor planted the last one himself. "


MENUS = (
    "The striker scored twice, and the cup final is sold out, the coach said. The film opens with a red carpet. "
    "The box office knows. There is a new season of the series. The museum has an exhibition. "
)


def page(sentence: str, above: str = "") -> bytes:
    text = "".join(f"<p>{number}. {4 * sentence}</p>" for number in range(8))
    article = f"<article><h1>What happened</h1>{text}</article>"
    return reply(200, f"<html lang=en><body><p>{above}</p>{article}</body></html>".encode(), Content_Type="text/html")


@pytest.mark.parametrize("gate", [False, True])
@on_loop
async def test_the_same_stories_are_relevant_with_and_without_it(tmp_path: Path, gate: bool) -> None:
    answers: dict[str, bytes | Script] = {"/war": page(WAR), "/garden": page(GARDEN)}
    async with Server(answers) as server:
        second = f"</item><item><title>Another thing</title><link>{server.url('/garden')}</link>"
        answers["/feed"] = xml(rss(second, title="News", link=server.url("/war")))
        sources = [Source("s", "S", server.url("/feed"), "S")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            report = await pipeline.cycle(replace(floor, gate=gate, matcher=matcher))
    assert report.relevant == 1
    assert report.grades == ({Grade.FULL: 1, Grade.ROUGH: 1} if gate else {Grade.FULL: 2})


@pytest.mark.parametrize(("sentence", "above", "grade"), [(WAR, MENUS, Grade.FULL), (MENUS, WAR, Grade.ROUGH)])
@on_loop
async def test_what_stands_around_an_article_speaks_neither_for_nor_against_it(
    tmp_path: Path, sentence: str, above: str, grade: Grade
) -> None:
    async with Server({"/page": page(sentence, above)}) as server:
        server.answers["/feed"] = xml(rss(title="What happened", link=server.url("/page")))
        sources = [Source("s", "S", server.url("/feed"), "S")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            report = await pipeline.cycle(replace(floor, gate=True, matcher=matcher))
    assert report.grades == {grade: 1}


@on_loop
async def test_what_the_feed_says_is_enough_whatever_the_rest_of_the_page_is_about(tmp_path: Path) -> None:
    async with Server({"/war": page(MENUS)}) as server:
        said = f"<description>{WAR}</description>"
        feed = xml(rss(said, title="Army fires ballistic missiles at naval base", link=server.url("/war")))
        server.answers["/feed"] = feed
        sources = [Source("s", "S", server.url("/feed"), "S")]
        async with open_floor(f"sqlite:///{tmp_path}/a.db", sources) as floor:
            report = await pipeline.cycle(replace(floor, gate=True, matcher=matcher))
    assert report.grades == {Grade.FULL: 1}
