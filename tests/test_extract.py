"""What a page gives: text without furniture, an honest grade, sober dates. The pages are written here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watchfloor.extract import read_page, read_roughly
from watchfloor.model import Grade, Page

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)
URL = "https://gazette.example/world/brigade.html"
STORY = (
    "The ministry will move a second battalion to the eastern garrison in spring, the minister told parliament on "
    "Tuesday, so that the first one can go home after two years in tents and containers.",
    "Barracks for nine hundred soldiers are to be ready by the end of the year, and the railway has promised a siding "
    "that can take heavy tanks without blocking the morning trains to the coast.",
    "Opposition members asked why the cost had doubled since the first estimate. The minister said that concrete and "
    "steel had, and that the alliance would pay for a third of the depots.",
)
PARAGRAPHS = "".join(f"<p>{paragraph}</p>" for paragraph in STORY)


def read(body: str, *, head: str = "", url: str = URL, content_type: str = "text/html; charset=utf-8") -> Page:
    page = f'<!doctype html><html lang="en"><head><title>A brigade moves</title>{head}</head><body>{body}</body></html>'
    return read_page(page.encode(), content_type=content_type, url=url, now=NOW)


def article(body: str) -> str:
    return f"<main><article><h1>A brigade moves</h1>{body}</article></main>"


# -- text -------------------------------------------------------------------------------------------------------------


def test_the_text_is_the_story_and_nothing_else() -> None:
    page = read(f"<nav><a href='/'>Home</a></nav>{article(PARAGRAPHS)}<footer>About us</footer>")
    assert page.text == "\n\n".join(STORY)
    assert (page.grade, page.title, page.language) == (Grade.FULL, "A brigade moves", "en")


def test_comments_scripts_and_drawings_do_not_cut_sentences() -> None:
    cut = STORY[1][:30] + "<!-- a place for an advertisement --><script>let place = 1</script>" + STORY[1][30:]
    drawing = "<svg><title>A frigate</title><path d='M0 0'/></svg>"
    body = f"<p>{STORY[0]}</p><p>{cut}</p>{drawing}<p>{STORY[2]}</p>"
    assert read(article(body + "".join(f"<p>{part}</p>" for part in STORY[3:]))).text == "\n\n".join(STORY)


def test_a_story_that_stands_where_menus_do_is_read_where_there_is_no_other() -> None:
    hidden = read(f"<noscript>{article(PARAGRAPHS)}</noscript>")
    assert all(paragraph in hidden.text for paragraph in STORY)
    assert read(f"<aside>{PARAGRAPHS}</aside>{article(PARAGRAPHS)}").text == "\n\n".join(STORY)


@pytest.mark.parametrize(
    "furniture",
    [
        "Google News button",
        "Follow us on Telegram, Facebook and X",
        "Read also: Minister visits the coast",
        "Share this article on WhatsApp",
        "Facebook Twitter WhatsApp",
        "Advertisement",
        "We use cookies to improve your experience.",
        "Sign up for our daily newsletter",
        "12 comments",
        "Tags: army, barracks",
    ],
)
def test_furniture_is_not_part_of_the_text(furniture: str) -> None:
    assert read(article(f"{PARAGRAPHS}<p>{furniture}</p>")).text == "\n\n".join(STORY)


def test_a_sentence_that_sounds_like_furniture_stays() -> None:
    said = "Readers may share this article of faith, the general said, but nobody else in the building did that day."
    assert said in read(article(f"{PARAGRAPHS}<p>{said}</p>")).text


def test_a_page_laid_out_by_a_table_gives_its_article_without_the_menu() -> None:
    menu = "<td><a href='/'>Sections</a></td>"
    page = read(f"<table><tr>{menu}<td><h2>A brigade moves</h2>{PARAGRAPHS}</td></tr></table>")
    assert page.text == "\n\n".join(STORY)


def test_a_table_of_figures_stays() -> None:
    rows = "".join(f"<tr><td>Depot {number}</td><td>{number * 300} tonnes</td></tr>" for number in range(1, 6))
    assert "Depot 3 | 900 tonnes" in read(article(f"{PARAGRAPHS}<table>{rows}</table>{PARAGRAPHS}")).text


def test_an_article_cut_into_equal_boxes_is_whole_and_in_order() -> None:
    parts = [f"Part {number}: {paragraph}" for number in range(4) for paragraph in STORY]
    boxes = "".join(
        f"<div class='body'>{''.join(f'<p>{part}</p>' for part in parts[at : at + 3])}</div><aside>Buy a car</aside>"
        for at in range(0, len(parts), 3)
    )
    assert read(f"<div class='page'>{boxes}</div>").text.split("\n\n") == parts


# -- grades -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "grade"),
    [
        ("<h1>Just a moment...</h1><p>Checking your browser before you enter.</p>", Grade.CHALLENGE),
        ("<p>Before you continue</p><p>We and our 812 partners store information on a device.</p>", Grade.CONSENT),
        (article(f"<p>{STORY[0]}</p><p>Subscribe now to read the rest.</p>"), Grade.TEASER),
        (article(f"<p>{STORY[0][:120]} ...</p>"), Grade.TEASER),
        ("<div id='app'></div>", Grade.EMPTY),
        (article(PARAGRAPHS), Grade.FULL),
    ],
)
def test_grades_are_honest(body: str, grade: Grade) -> None:
    assert read(body).grade is grade


def test_a_page_that_says_it_is_locked_is_a_teaser() -> None:
    locked = '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>'
    assert read(article(f"<p>{STORY[0]}</p>"), head=locked).grade is Grade.TEASER


@pytest.mark.parametrize("body", [b"%PDF-1.7 ...", b"\x89PNG\r\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_page_failed(body: bytes) -> None:
    assert read_page(body, content_type="application/octet-stream", url=URL, now=NOW) == Page(Grade.FAILED)


@pytest.mark.parametrize("body", [b"", b"   ", b"<", b"<!-- -->", b"\x00\x01"])
def test_a_page_of_nothing_is_empty_and_nothing_is_raised(body: bytes) -> None:
    assert read_page(body, content_type="text/html", url=URL, now=NOW).grade in (Grade.EMPTY, Grade.FAILED)


# -- what a page says of itself ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "published"),
    [
        (
            '<meta property="article:published_time" content="2026-11-23T08:00:00+01:00">',
            datetime(2026, 11, 23, 7, tzinfo=UTC),
        ),
        (
            '<script type="application/ld+json">{"@graph":[{"@type":"NewsArticle","datePublished":"2026-11-22"}]}'
            "</script>",
            datetime(2026, 11, 22, tzinfo=UTC),
        ),
        ('<meta property="article:published_time" content="2031-01-01">', None),  # cannot be true
        ('<script type="application/ld+json">{broken</script>', None),
        ("", None),
    ],
)
def test_a_date_comes_from_metadata(head: str, published: datetime | None) -> None:
    page = read(article(PARAGRAPHS), head=head)
    assert page.published == published


def test_no_date_is_invented_from_running_text() -> None:
    said = "<p>The treaty expires in February 2021, fifty years after the talks of May 1972 and 12.12.2012.</p>"
    assert read(article(said + PARAGRAPHS)).published is None


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ("/world/brigade?utm_source=feed", "https://gazette.example/world/brigade"),
        ("https://www.gazette.example/b", "https://www.gazette.example/b"),
        ("https://elsewhere.example/world/brigade", None),
        ("https://gazette.example/", None),  # the front page is no article
        ("javascript:alert(1)", None),
    ],
)
def test_the_canonical_link_is_the_sites_own(link: str, canonical: str | None) -> None:
    assert read(article(PARAGRAPHS), head=f'<link rel="canonical" href="{link}">').canonical_url == canonical


def test_authors_from_linked_data_and_metadata() -> None:
    head = (
        '<script type="application/ld+json">{"@type":"NewsArticle","author":[{"name":"A. Writer"},"B. Reporter"]}'
        '</script><meta name="author" content="A. Writer">'
    )
    assert read(article(PARAGRAPHS), head=head).authors == ("A. Writer", "B. Reporter")


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "mac-cyrillic"])
def test_the_declared_encoding_is_heard(encoding: str) -> None:
    russian = "Министр обороны сообщил, что второй батальон прибудет весной и сменит первый. " * 4
    page = f"<html><head><meta charset='{encoding}'></head><body>{article(f'<p>{russian}</p>')}</body></html>"
    read_back = read_page(page.encode(encoding), content_type="text/html", url=URL, now=NOW)
    assert "второй батальон" in read_back.text


def test_a_declared_encoding_that_nobody_knows_costs_no_page() -> None:
    page = f"<html><body>{article('<p>' + 'The café, said the général, is closed. ' * 8 + '</p>')}</body></html>"
    read_back = read_page(page.encode("latin-1"), content_type="text/html; charset=windows-99999", url=URL, now=NOW)
    assert "The café, said the général" in read_back.text


def test_a_wrong_declaration_does_not_spoil_utf8() -> None:
    page = f"<html><body>{article('<p>' + 'Łódź’s café – naïve, said the général. ' * 8 + '</p>')}</body></html>"
    read_back = read_page(page.encode(), content_type="text/html; charset=iso-8859-1", url=URL, now=NOW)
    assert "Łódź’s café – naïve" in read_back.text


# -- a rough look -----------------------------------------------------------------------------------------------------


def roughly(body: str) -> Page:
    page = f'<!doctype html><html lang="en"><head><title>A brigade moves</title></head><body>{body}</body></html>'
    return read_roughly(page.encode(), content_type="text/html", url=URL, now=NOW)


def test_a_rough_look_finds_the_paragraphs_and_what_the_page_says_of_itself() -> None:
    menu = "<nav><p>Defence, Foreign policy, Economy, Sport, Culture, Weather</p></nav>"
    long = "".join(f"<p>{number}. {paragraph}</p>" for number in (1, 2, 3) for paragraph in STORY)
    page = roughly(menu + article(long))
    assert page.text == "\n\n".join(f"{number}. {paragraph}" for number in (1, 2, 3) for paragraph in STORY)
    assert (page.grade, page.title, page.language) == (Grade.ROUGH, "A brigade moves", "en")


def test_of_paragraphs_only_those_in_the_fullest_boxes_count() -> None:
    note = "<div><p>Twelve recipes for the holidays that nobody should be without this winter.</p></div>"
    first, second = ("".join(f"<p>{number}. {paragraph}</p>" for paragraph in STORY) for number in (1, 2))
    page = roughly(f"{note}<div>{first}</div>{note}<div>{second}</div>{note}")
    assert page.text == "\n\n".join(f"{number}. {paragraph}" for number in (1, 2) for paragraph in STORY)


def test_a_page_without_paragraphs_gives_its_long_lines() -> None:
    lines = "\n<br>".join(f"{number}. {paragraph}" for number in (1, 2, 3) for paragraph in STORY)
    page = roughly(f"<div>Home</div><div>{lines}</div>")
    assert (page.grade, page.text.count("\n\n")) == (Grade.ROUGH, 3 * len(STORY) - 1)


@pytest.mark.parametrize("body", ["", "<p>Please subscribe to read the whole story of the brigade that moves.</p>"])
def test_a_short_page_is_for_the_whole_reading_to_tell(body: str) -> None:
    assert roughly(body).grade is Grade.EMPTY


def test_so_is_one_that_speaks_of_a_wall() -> None:
    teaser = f"<p>{STORY[0]}</p><p>{STORY[1]}</p><p>{STORY[2]}</p><p>Subscribe to continue reading this story.</p>"
    assert roughly(teaser + f"<p>Once more: {STORY[0]}</p>").grade is Grade.EMPTY
