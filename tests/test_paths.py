"""Searches by attributes find what libxml2 finds with the same path."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html

from watchfloor import paths

REGEXP = {"re": "http://exslt.org/regular-expressions"}
READ = (
    ".//article",
    "(.//article)[1]",
    ".//div[@class='text']",
    ".//*[self::div or self::p][contains(@class, 'text')][1]",
    "(.//*[self::div or self::p][re:test(@id, '^text|bar$') or @role='main'])[1]",
    ".//*[re:test(@class|@id, 'text', 'i') or @hidden or starts-with(@id|@class, 'bar')]",
    ".//div[contains(translate(@role, 'MN', 'mn'), 'main')]|.//article|.//*[@class='bar' or @id='bar']",
    ".//*[self::div or self::article][re:test(@class, 'text') or @id='bar'][not(self::article) or @hidden]",
    ".//*[self::div or self::section][@class='text'][not(.//p) or re:test(@id, 'b.r')]",
)
NOT_READ = (
    "//div",
    ".//div/p",
    ".//div[2]",
    ".//div[@class='a' and @id='b']",
    ".//div[@class='']",
    ".//div[contains(@class, '')]",
    ".//div[re:test(@class, 'a|')]",
    ".//div[re:test(@class, 'a', 'g')]",
    ".//div[translate(@role, 'M', '')='a']",
    ".//div[contains(translate(@role, 'MN', 'm'), 'a')]",
    ".//div[text()='a']",
    ".//div[contains(@class, 'a'",
    ".//div[@class=3]",
    ".//div & p",
    "",
)
ATTRIBUTES = {
    "class": ["text", "Text bar", "bar", ""],
    "id": ["bar", "text-bar", "TEXT"],
    "role": ["main", "Main"],
    "hidden": ["", "true"],
}


@st.composite
def trees(draw: st.DrawFn) -> html.HtmlElement:
    """Boxes in boxes, with attributes in any order."""
    root = html.Element("body")
    boxes = [root]
    for _ in range(draw(st.integers(1, 12))):
        box = html.Element(draw(st.sampled_from(["div", "p", "article", "section", "span"])))
        for name in draw(st.permutations(list(ATTRIBUTES))):
            value = draw(st.sampled_from([None, *ATTRIBUTES[name]]))
            if value is not None:
                box.set(name, value)
        draw(st.sampled_from(boxes)).append(box)
        boxes.append(box)
    return root


@given(trees())
def test_a_search_finds_what_xpath_finds(tree: html.HtmlElement) -> None:
    for path in READ:
        search = paths.read(path)
        assert search
        assert search(tree) == etree.XPath(path, namespaces=REGEXP)(tree), path


@pytest.mark.parametrize("path", NOT_READ)
def test_other_paths_are_left_to_xpath(path: str) -> None:
    assert paths.read(path) is None


def test_a_list_of_xpaths_is_made_quick_as_far_as_it_can_be() -> None:
    expressions = [etree.XPath(".//p[@id='a']"), etree.XPath("//p")]
    paths.quicken(expressions)
    assert [type(one) for one in expressions] == [paths.Path, etree.XPath]
    paths.quicken(expressions)
    assert [one.path for one in expressions] == [".//p[@id='a']", "//p"]


def test_a_value_of_a_megabyte_is_not_remembered() -> None:
    search = paths.read(".//p[re:test(@class, 'end$')]")
    assert search
    long = html.fromstring(f"<div><p class='{'word ' * 200_000}end'></p><p class='end of'></p></div>")
    assert search(long) == [long[0]]


def test_trafilaturas_own_searches_find_the_same(real_data: Path) -> None:
    from trafilatura import xpaths
    from trafilatura.settings import BASIC_CLEAN_XPATH

    written = [
        one.path for found in vars(xpaths).values() if isinstance(found, list) for one in [*found, BASIC_CLEAN_XPATH]
    ]
    pairs = [(search, etree.XPath(path, namespaces=REGEXP)) for path in written if (search := paths.read(path))]
    assert len(pairs) > 15
    for page in sorted((real_data / "pages").glob("*0.html.gz")):
        tree = html.fromstring(gzip.decompress(page.read_bytes()))
        for search, xpath in pairs:
            assert search(tree) == xpath(tree), (page.name, search.path)
