"""What an article is about, by the model of the extra `similar`, and what grouping makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import mul

import pytest

from watchfloor.gist import GistModel, installed
from watchfloor.likeness import compare
from watchfloor.model import Article, Grade, Verdict
from watchfloor.ports import Judged
from watchfloor.sketches import GIST_SCALE, sketch, unpack, with_gist
from watchfloor.stories import group_records
from watchfloor.weighing import with_gists

STORM = ("Frigates ride out the storm", "Two frigates of the northern squadron lay hove to for a day in the gale.")
GALE = ("Warships weather gale at sea", "The squadron's two ships waited a day for the wind to drop.")
BUDGET = ("Parliament passes the defence budget", "Members voted for more money for barracks and pay.")
GERMAN = (
    "Bundestag stimmt für den Wehretat",
    "Die Abgeordneten haben am Freitag mehr Geld für Kasernen und Sold bewilligt.",
)


@pytest.fixture(scope="module")
def model() -> GistModel:
    assert installed(), "the developer's environment has the extra"
    return GistModel()


def cosine(a: bytes, b: bytes) -> float:
    one, other = ([value - 256 if value > 127 else value for value in vector] for vector in (a, b))
    return sum(map(mul, one, other)) / GIST_SCALE**2


def test_two_tellings_are_near_and_another_event_is_far(model: GistModel) -> None:
    storm, gale, budget = model([STORM, GALE, BUDGET])
    assert len(storm) == 384
    assert cosine(storm, storm) == pytest.approx(1, abs=0.02)
    assert cosine(storm, gale) > 0.5
    assert cosine(storm, budget) < 0.3


def test_a_vector_does_not_depend_on_its_neighbours(model: GistModel) -> None:
    assert model([STORM, BUDGET])[0] == model([STORM])[0] == model([GALE, STORM])[1]


def test_what_is_not_english_or_empty_is_left_to_words(model: GistModel) -> None:
    assert model([GERMAN, STORM])[0] == b""
    assert len(model([("", "")])) == 1


def test_a_text_of_any_length_is_read(model: GistModel) -> None:
    assert len(model([("The frigate of the navy " * 2_000, "It is in the bay. " * 10_000)])[0]) == 384


def sketched(told: tuple[str, str]) -> bytes:
    at = datetime(2026, 5, 4, tzinfo=UTC)
    return sketch(title=told[0], text=told[1], publisher="Lantern", published=at, first_seen=at)


def test_a_sketch_remembers_the_gist_and_stays_as_it_is_without() -> None:
    plain = sketched(STORM)
    assert with_gist(plain, b"") == plain
    kept = unpack(with_gist(plain, bytes([1, 255, 127])))
    assert kept.gist is not None
    assert (kept.gist.tolist(), kept.title) == ([1, -1, 127], unpack(plain).title)
    assert unpack(plain).gist is None


def test_one_without_a_gist_is_compared_by_words_alone(model: GistModel) -> None:
    """A desk that installs the extra keeps the sketches of yesterday."""
    storm, gale = sketched(STORM), sketched(GALE)
    with_model = with_gist(storm, model([STORM])[0])
    assert compare(unpack(with_model), unpack(gale)) == compare(unpack(storm), unpack(gale))


@pytest.mark.parametrize(
    ("told", "told_again", "other"),
    [
        (
            ("Lanwick base sealed off after staff smell fumes", "Firefighters found a leaking tank."),
            ("Chemical leak shuts Lanwick air base", "Workers were sent home while crews searched for the source."),
            ("Lanwick air base to get new runway", "Work begins next year."),
        ),
        (
            ("Navy picks Halvorsen yard to build six corvettes", "The order is the largest since the war."),
            ("Halvorsen wins contract for navy's new small warships", "The yard beat two foreign bidders."),
            ("Halvorsen yard to cut 300 jobs", "The owner blames steel prices."),
        ),
    ],
    ids=("base", "yard"),
)
def test_other_words_for_one_event_join_and_other_news_of_one_place_does_not(
    model: GistModel, told: tuple[str, str], told_again: tuple[str, str], other: tuple[str, str]
) -> None:
    records = [{"title": title, "text": text, "published": "2026-05-04"} for title, text in (told, told_again, other)]

    def names(title: str, text: str) -> dict[str, str]:
        return {name: kind for name, kind in (("Lanwick", "base"), ("Halvorsen", "firm")) if name in title}

    by_gist, by_words = (dict(group_records(records, names=names, gists=gists)) for gists in (model, None))
    assert by_gist[1] == by_gist[2] != by_gist[3]
    assert by_words != by_gist


def test_only_what_grouping_will_compare_is_read() -> None:
    asked: list[Sequence[tuple[str, str]]] = []

    def gists(told: Sequence[tuple[str, str]]) -> list[bytes]:
        asked.append(told)
        return [bytes([len(title)]) for title, _ in told]

    relevant, other = judged("Frigate", sketched(STORM)), judged("Recipe", None)
    read = with_gists([other, relevant], gists)
    assert asked == [[("Frigate", "text")]]
    assert read == [other, Judged(relevant.article, relevant.verdict, with_gist(sketched(STORM), bytes([7])))]


def judged(title: str, packed: bytes | None) -> Judged:
    article = Article(1, "lantern", "Lantern", title, "text", Grade.FULL, "page", datetime(2026, 5, 4, tzinfo=UTC))
    verdict = Verdict(judged=True, language="en", relevant=bool(packed), score=1, threshold=1)
    return Judged(article, verdict, packed)
