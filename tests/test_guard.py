"""Who may ask the desk's page: bind, Host, password, tokens, forms; and the headers of every answer."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest

from storage.archive import SqlArchive
from storage.engine import open_archive
from tests.browsing import Clock, Reader, page_over
from watchfloor import cli
from watchfloor.errors import ConfigurationError
from watchfloor.web import guard
from watchfloor.web.guard import Access

SECRET, TOKEN = "correct horse", "0123456789abcdef"
LOCKED = Access(SECRET, (TOKEN,), ("desk.example.org",))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlArchive]:
    """One empty archive is enough: the guard asks it nothing."""
    opened = open_archive(f"sqlite:///{tmp_path_factory.mktemp('guard')}/archive.db")
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stranger(archive: SqlArchive, clock: Clock) -> Reader:
    return Reader(page_over(archive, clock, LOCKED))


def test_others_are_not_let_near_without_a_password(capsys: pytest.CaptureFixture[str]) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "desk.example.org"):
        with pytest.raises(ConfigurationError, match="WATCHFLOOR_WEB_PASSWORD"):
            guard.check_bind(host, Access())
        guard.check_bind(host, LOCKED)
    for host in guard.LOOPBACK:
        guard.check_bind(host, Access())
    assert cli.run(["web", "--host", "0.0.0.0"]) == cli.WRONG_USE
    assert "WATCHFLOOR_WEB_PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8700", 200),
        ("localhost", 200),
        ("LocalHost:99", 200),
        ("[::1]:8700", 200),
        ("192.0.2.1", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("desk.example.org", 421),
        ("[::1", 421),
    ],
)
def test_the_page_answers_to_its_own_names_only(archive: SqlArchive, host: str, status: int) -> None:
    reader = Reader(page_over(archive))
    assert reader.asks("GET", "/", headers={"Host": host}).status_code == status


def test_a_configured_name_is_answered_to(archive: SqlArchive) -> None:
    reader = Reader(page_over(archive, access=Access(hosts=("Desk.example.org",))), host="desk.example.org")
    assert reader.opens("/").status_code == 200


def test_every_answer_forbids_what_a_page_could_be_made_to_do(stranger: Reader) -> None:
    paths = ("/", "/login", "/healthz", "/static/desk.css", "/static/nothing", "/nothing", "/api/search")
    for path in paths:
        headers = stranger.opens(path).headers
        assert {name: headers[name] for name in guard.HEADERS if name != "Cache-Control"} == {
            name: value for name, value in guard.HEADERS.items() if name != "Cache-Control"
        }
    assert "unsafe" not in guard.POLICY


def test_a_stranger_sees_the_door_alone(stranger: Reader) -> None:
    for path in ("/", "/story/1", "/search?q=x", "/sources", "/nothing"):
        answer = stranger.opens(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?back=%2F")
    assert stranger.opens("/api/search").status_code == 401
    assert stranger.opens("/healthz").status_code == 200
    assert stranger.opens("/static/desk.css").status_code == 200


def test_the_password_opens_a_session_that_ends(stranger: Reader, clock: Clock) -> None:
    stranger.opens("/login?back=%2Fsearch%3Fq%3Dx")
    answer = stranger.submits("/login?back=%2Fsearch%3Fq%3Dx", password=SECRET)
    assert (answer.status_code, answer.headers["location"]) == (303, "/search?q=x")
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert stranger.opens("/").status_code == 200
    clock.passes(guard.SESSION_LASTS)
    assert stranger.opens("/").status_code == 303


def test_logging_out_ends_the_session_for_good(stranger: Reader) -> None:
    stranger.opens("/login")
    stranger.submits("/login", password=SECRET)
    stranger.opens("/")
    session = stranger.cookies.get(guard.SESSION)
    assert stranger.submits("/logout").status_code == 303
    stranger.cookies.set(guard.SESSION, str(session))
    assert stranger.opens("/").status_code == 303


def test_guessing_is_made_slow(stranger: Reader, clock: Clock) -> None:
    stranger.opens("/login")
    codes = [stranger.submits("/login", password=f"guess {number}").status_code for number in range(7)]
    assert codes == [403] * guard.TRIES + [429, 429]
    assert stranger.submits("/login", password=SECRET).status_code == 429
    clock.passes(guard.TRIES_WITHIN + timedelta(seconds=1))
    assert stranger.submits("/login", password=SECRET).status_code == 303


def test_guessing_from_many_addresses_is_made_slow(clock: Clock) -> None:
    doorkeeper = guard.Doorkeeper(LOCKED, clock)
    for number in range(guard.TRIES_IN_ALL):
        doorkeeper.admit("guess", f"192.0.2.{number}")
    wait = doorkeeper.wait("198.51.100.1")
    assert wait is not None
    assert wait <= guard.TRIES_WITHIN


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Basic {base64.b64encode(f'any:{TOKEN}'.encode()).decode()}", 200),
        ("Bearer wrong", 303),
        ("Bearer ", 303),
        ("Basic !!!", 303),
        ("Basic /w==", 303),
        ("Bearer ключ".encode().decode("latin-1"), 303),
    ],
)
def test_a_token_lets_a_machine_in(stranger: Reader, header: str, status: int) -> None:
    assert stranger.asks("GET", "/", headers={"Authorization": header.encode("latin-1")}).status_code == status  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "", "/\n/x"]
)
def test_the_login_leads_nowhere_else(back: str) -> None:
    assert guard.local_path(back) == "/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:8700"}, 404),
        ({}, 404),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 404),  # what browsers say of a form of ours; the token is right
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
    ],
)
def test_only_pages_of_ours_change_anything(archive: SqlArchive, headers: dict[str, str], status: int) -> None:
    reader = Reader(page_over(archive))
    reader.opens("/")
    form = {"token": _token(reader), "relevant": "yes"}
    assert reader.asks("POST", "/article/1/label", data=form, headers=headers).status_code == status


def _token(reader: Reader) -> str:
    doorkeeper = reader.app.doorkeeper
    return doorkeeper.form_token(str(reader.cookies.get(guard.FORMS)))


@pytest.mark.parametrize("token", ["", "x", "0" * 64])
def test_a_form_without_its_token_is_refused(archive: SqlArchive, token: str) -> None:
    reader = Reader(page_over(archive))
    reader.opens("/")
    reader.token = token
    assert reader.submits("/article/1/label", relevant="yes").status_code == 403


def test_a_token_of_another_browser_is_refused(archive: SqlArchive) -> None:
    app = page_over(archive)
    mine, other = Reader(app), Reader(app)
    mine.opens("/")
    other.opens("/")
    other.token = _token(mine)
    assert other.submits("/article/1/label", relevant="yes").status_code == 403


def test_a_form_that_never_ends_is_refused(archive: SqlArchive) -> None:
    reader = Reader(page_over(archive))
    reader.opens("/")
    reader.token = _token(reader)
    assert reader.submits("/article/1/label", relevant="x" * guard.BODY).status_code == 403
