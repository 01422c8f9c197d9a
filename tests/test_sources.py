"""sources.yaml: what it may say, what is said when it does not, additions to it, and OPML."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchfloor import sources
from watchfloor.errors import ConfigurationError, SourcesError
from watchfloor.model import Source

TWO = """\
# ours
sources:
  - name: The Morning Post   # a comment
    url: https://post.example/feed

  - name: Ministry of Defence
    url: https://mod.example/news.atom
    id: mod
    publisher: Government of Examplia
    country: NO
    language: nb
    tags: [official, naval]
    every: 2h
    full_text: true
"""
POST = Source(
    id="the-morning-post", name="The Morning Post", url="https://post.example/feed", publisher="The Morning Post"
)
MINISTRY = Source(
    id="mod",
    name="Ministry of Defence",
    url="https://mod.example/news.atom",
    publisher="Government of Examplia",
    country="NO",
    language="nb",
    tags=("official", "naval"),
    every=timedelta(hours=2),
    full_text=True,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "sources.yaml"
    file.write_text(TWO, encoding="utf-8")
    return file


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_whole(path: Path) -> None:
    assert sources.load(path) == (POST, MINISTRY)


def test_an_empty_list_is_no_error() -> None:
    assert sources.parse("sources: []") == sources.parse("sources:") == ()


def test_a_byte_order_mark_does_not_matter(path: Path) -> None:
    path.write_text("\ufeff" + TWO, encoding="utf-8")
    assert len(sources.load(path)) == 2


ITEM = "sources:\n  - name: A\n    url: https://a.example/\n"
TWIN = "  - name: B\n    url: https://b.example/\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yaml:1: there is no list `sources:` (`watchfloor init` writes one)"),
        ("- a\n", "f.yaml:1: there is no list `sources:` (`watchfloor init` writes one)"),
        ("sorces: []", "f.yaml:1: there is no list `sources:` (`watchfloor init` writes one)"),
        ("sources: []\nsource: 3", "f.yaml:2:1: unknown key 'source' (did you mean 'sources'?)"),
        ("sources: a", "f.yaml:1:10: `sources` is no list (begin each item with `- name:`)"),
        ("sources:\n  - a", "f.yaml:2:5: a source is `name:`, `url:` and what else is known of it"),
        ("sources:\n  - name: A", "f.yaml:2:5: a source without `url`"),
        ("sources:\n  - url: http://a.example", "f.yaml:2:5: a source without `name`"),
        (ITEM + "    tag: [x]", "f.yaml:4:5: unknown key 'tag' (did you mean 'tags'?)"),
        (ITEM + "    tags: x", "f.yaml:4:11: tags: input should be a valid list"),
        (ITEM + "    tags: [x, 3]", "f.yaml:4:15: tags: input should be a valid string (put it in quotes)"),
        (ITEM + "    every: 30", "f.yaml:4:12: every: '30' is not a duration (write a number and a unit, such as "),
        (ITEM + "    every: 0m", "f.yaml:4:12: every: '0m' is not a duration"),
        (ITEM + "    every: 9999999d", "f.yaml:4:12: every: '9999999d' is not a duration"),
        (ITEM + "    every: 999999w", "f.yaml:4:12: every: '999999w' is longer than a year"),
        (ITEM + "    country: UK", "f.yaml:4:14: country: 'UK' is not a country (two capital letters of ISO 3166"),
        (ITEM + "    country: de", "f.yaml:4:14: country: 'de' is not a country"),
        (ITEM + "    language: English", "f.yaml:4:15: language: 'English' is not a language"),
        (ITEM + "    full_text: maybe", "f.yaml:4:16: full_text: input should be a valid boolean"),
        (ITEM + "    id: A b", "f.yaml:4:9: id: 'A b' is not an id (small letters, digits and hyphens)"),
        (ITEM + TWIN.replace("B", "a"), "f.yaml:4:5: id 'a' stands twice (the first is on line 2; give one of them an"),
        (ITEM + TWIN.replace("b.", "www.a."), "f.yaml:4:5: url 'a.example' stands twice (the first is on line 2)"),
        ("sources:\n  - name: 3\n    url: http://a.example", "f.yaml:2:11: name: input should be a valid string (put"),
        ("sources:\n  - name: ' '\n    url: http://a.example", "f.yaml:2:11: name: should be some words"),
        ("sources:\n  - name: A\n    name: B", "f.yaml:3:5: found duplicate key"),
        ("sources:\n\t- name: A", "f.yaml:2:1: found character '\\t' that cannot start any token"),
        ("sources:\n  - name: A\n url: b", "f.yaml:3:2: expected <block end>"),
        ("sources: !!python/object:os.system x", "f.yaml:1:10: `sources` is no list"),
        ("sources: *a", "f.yaml:1:10: found undefined alias 'a'"),
        ("sources: a\x00b", "f.yaml: not valid YAML: unacceptable character #x0000"),
        ("sources:\n  - &a {name: A, url: 3}\n", "f.yaml:2:23: url: input should be a valid string (put it in quotes)"),
        ("sources:\n  - name: A\n    <<: {url: 3}\n", "f.yaml:2:5: url: input should be a valid string"),
        ("sources:\n  - 1: A\n", "f.yaml:2:5: a source without `name`"),
        ("sources:\n  - name: !!int x\n", "f.yaml: not valid YAML: invalid literal for int()"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(SourcesError) as caught:
        sources.parse(text, "f.yaml")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "a.example/feed",
        "ftp://a.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://",
        "https://a.example:99999/",
        "https://[::1/",
        "https://a.example/a b",
        "https://a.example/\u202e",
        "https://me:secret@a.example/",
        "https://a.example/" + "x" * 2048,
    ],
)
def test_what_is_no_address_is_refused_and_no_password_repeated(url: str) -> None:
    with pytest.raises(SourcesError, match="address") as caught:
        sources.make("A", url)
    assert "secret" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"sources:\n  - name: Caf\xe9\n")
    said = [(tmp_path / "none.yaml", "there is no such file"), (tmp_path, "Is a directory"), (latin, "not UTF-8")]
    for file, reason in said:
        with pytest.raises(SourcesError) as caught:
            sources.load(file)
        assert (caught.value.path, caught.value.reason) == (file, reason)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Defense One", "defense-one"),
        ("  Task & Purpose ", "task-purpose"),
        ("El País", "el-pais"),
        ("Українська правда", "ukrainska-pravda"),
        ("!!!", "source"),
        ("x" * 200, "x" * 80),
    ],
)
def test_ids_are_made_from_names(name: str, made: str) -> None:
    assert sources.made_id(name) == made


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        (" 2 h ", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(days=14)),
    ],
)
def test_durations(text: str, span: timedelta) -> None:
    assert sources.read_duration(text) == sources.read_duration(sources.write_duration(span)) == span


@pytest.mark.parametrize("text", ["", "30", "m", "-1h", "1.5h", "1h30m", "0s", "1y", "٣m²", "1e3s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a duration"):
        sources.read_duration(text)


PIECES = re.split(
    r"\|",
    "sources:|\n|\n  - |  |name: A|url: https://a.example/|: |[|]|{|}|&a |*a|!!int |<<: |- |'|\"|> |# |---|\t|tags: |3"
    "|2026-11-24|\x85|?|%YAML 1.1\n|é|\x00",
)


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_whatever_a_file_holds_there_are_sources_or_one_clear_line(text: str) -> None:
    found, said = parsed(text)
    assert sources.parse(sources.with_items("sources:\n", found)) == found
    assert all(line.startswith("f.yaml") for line in said)
    assert len(said) <= 1


def parsed(text: str) -> tuple[tuple[Source, ...], list[str]]:
    try:
        return sources.parse(text, "f.yaml"), []
    except SourcesError as error:
        return (), str(error).splitlines()


# -- adding -----------------------------------------------------------------------------------------------------------


def test_an_addition_leaves_the_rest_as_it_was(path: Path) -> None:
    new = sources.make("The Herald: World", "https://herald.example/rss?a=1&b=2", sources.load(path), tags=["world"])
    sources.add(path, new)
    assert path.read_text(encoding="utf-8") == (
        TWO + "  - name: 'The Herald: World'\n    url: https://herald.example/rss?a=1&b=2\n    tags: [world]\n"
    )
    assert sources.load(path) == (POST, MINISTRY, new)


@pytest.mark.parametrize(
    "text",
    [
        "sources:\n",
        "sources: []\n",
        "sources: []",
        "# a comment\nsources:\n- name: A\n  url: https://a.example/\n# the end",
        "sources: [{name: A, url: https://a.example/}]\n",
        "sources:\n      - name: A\n        url: https://a.example/\n\n\n",
        "sources:\n-\n  name: A\n  url: https://a.example/\n",
    ],
)
def test_an_addition_fits_every_style(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    before = sources.load(path)
    sources.add(path, POST, MINISTRY)
    assert sources.load(path) == (*before, POST, MINISTRY)
    assert all(line in path.read_text(encoding="utf-8") for line in text.splitlines() if line.startswith("#"))


def test_an_addition_that_would_break_the_file_changes_nothing(path: Path) -> None:
    with pytest.raises(SourcesError, match="stands twice"):
        sources.add(path, POST)
    path.chmod(0o640)
    assert path.read_text(encoding="utf-8") == TWO
    assert list(path.parent.iterdir()) == [path]


def test_an_addition_keeps_the_files_mode_and_follows_links(path: Path, tmp_path: Path) -> None:
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    sources.add(link, sources.make("New", "https://new.example/"))
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(sources.load(path)) == 3


def test_an_addition_to_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="there is no such file"):
        sources.add(tmp_path / "none.yaml", POST)


def test_a_new_source_gets_an_id_of_its_own() -> None:
    made = sources.make("The Morning POST", "https://other.example/feed", [POST])
    assert made.id == "the-morning-post-2"


@pytest.mark.parametrize(
    "url", ["https://post.example/feed", "http://www.post.example/feed/", "https://POST.example/feed"]
)
def test_a_known_address_is_not_added_again(url: str) -> None:
    with pytest.raises(SourcesError, match="known already, as 'The Morning Post'"):
        sources.make("Another name", url, [POST])


# -- OPML -------------------------------------------------------------------------------------------------------------

OPML = b"""<?xml version="1.0" encoding="UTF-8"?>
<opml version="2.0"><head><title>Mine</title></head><body>
  <outline text="Defence"><outline title="Near East"><!-- nested -->
    <outline text="Herald &amp; Post" type="rss" xmlUrl="https://herald.example/rss" htmlUrl="https://www.herald.example/"
      language="en-GB"/>
    <outline type="rss" xmlURL="https://untitled.example/feed"/>
  </outline></outline>
  <outline text="Herald again" xmlUrl="http://herald.example/rss/"/>
  <outline text="Bad" xmlUrl="feed:nowhere"/>
  <outline text="Tagged" xmlUrl="https://tagged.example/" category="/World/Asia,naval"/>
  <outline text="Tagged" xmlUrl="https://tagged.example/2"/>
  <outline text="Known" xmlUrl="https://post.example/feed"/>
  <outline text="A link" type="link" url="https://link.example/"/>
</body></opml>"""


def test_opml_is_imported_with_its_folders_as_tags() -> None:
    found = sources.import_opml(OPML, [POST])
    assert found == sources.Imported(
        sources=(
            Source(
                id="herald-post",
                name="Herald & Post",
                url="https://herald.example/rss",
                publisher="herald.example",
                language="en",
                tags=("defence", "near-east"),
            ),
            Source(
                id="untitled-example",
                name="untitled.example",
                url="https://untitled.example/feed",
                publisher="untitled.example",
                tags=("defence", "near-east"),
            ),
            Source(
                id="tagged",
                name="Tagged",
                url="https://tagged.example/",
                publisher="tagged.example",
                tags=("world", "asia", "naval"),
            ),
            Source(id="tagged-2", name="Tagged", url="https://tagged.example/2", publisher="tagged.example"),
        ),
        known=("http://herald.example/rss/", "https://post.example/feed"),
        unusable=(
            (
                "feed:nowhere",
                "url: 'feed:nowhere' is not the address of a feed (it should begin with https:// or http://)",
            ),
        ),
    )


def test_opml_goes_out_and_comes_back() -> None:
    there = sources.export_opml([POST, MINISTRY])
    back = sources.import_opml(there).sources
    told = [(one.name, one.url, one.language, one.tags) for one in back]
    assert told == [(one.name, one.url, one.language, one.tags) for one in (POST, MINISTRY)]


def test_what_is_imported_can_be_added(path: Path) -> None:
    found = sources.import_opml(OPML, sources.load(path)).sources
    sources.add(path, *found)
    assert sources.load(path) == (POST, MINISTRY, *found)


HOSTILE = {
    "nothing": b"",
    "no XML": b"{}",
    "a page": b"<!doctype html><html><body><p>hello</body></html>",
    "no feeds": b"<opml><body><outline text='a'/></body></opml>",
    "too large": b"<opml>" + b" " * 10_000_001 + b"</opml>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_list_of_feeds_is_refused(name: str) -> None:
    with pytest.raises(SourcesError):
        sources.import_opml(HOSTILE[name])


def test_opml_brings_no_files_and_no_controls(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    content = (
        f'<!DOCTYPE opml [<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "why">]>'
        '<opml><body>&x;<outline text="a&#9;b&#x202e;c" xmlUrl="https://a.example/"/>'
        '<outline text="b &y;" xmlUrl="https://b.example/">&x;</outline></body></opml>'
    )
    found = sources.import_opml(content.encode()).sources
    assert "secret" not in repr(found)
    assert found[0].name == "a b c"


def test_a_bomb_of_entities_does_not_go_off() -> None:
    layers = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(12))
    bomb = f'<!DOCTYPE opml [<!ENTITY a0 "x">{layers}]><opml><body><outline text="&a12;" xmlUrl="http://a.example/"/>'
    with pytest.raises(SourcesError, match="names no feeds"):  # the outline that holds it is dropped
        sources.import_opml(f"{bomb}</body></opml>".encode())


def test_deeply_nested_outlines_neither_hang_nor_crash() -> None:
    deep = b"<outline text='x' xmlUrl='http://a.example/'>" * 100_000
    found = sources.import_opml(b"<opml><body>" + deep)
    assert len(found.sources) == 1


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=40))
def test_whatever_a_list_says_can_be_written_and_read_again(title: str, url: str, category: str) -> None:
    from lxml import etree

    def legal(text: str) -> str:
        return "".join(c for c in text if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe")

    root = etree.Element("opml")
    told = {"title": legal(title), "xmlUrl": f"https://a.example/{legal(url)}", "category": legal(category)}
    etree.SubElement(root, "outline", told)
    found = sources.import_opml(etree.tostring(root)).sources
    text = sources.with_items("sources: []\n", found)
    assert sources.parse(text) == found


@pytest.mark.parametrize("number", range(1, 6))
def test_real_lists_are_imported_whole(real_data: Path, path: Path, number: int) -> None:
    content = (real_data / "sources" / "opml" / f"subscriptions-{number}.opml").read_bytes()
    found = sources.import_opml(content, sources.load(path))
    assert len(found.sources) + len(found.known) == content.lower().count(b"xmlurl=")
    assert not found.unusable
    sources.add(path, *found.sources)
    assert sources.load(path) == (POST, MINISTRY, *found.sources)
