from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default as policy_of_mail
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alerts.config import Policy, parse
from alerts.plugins import Mail, Slack, own
from alerts.plugins import load as load_plugin
from alerts.render import render
from alerts.send import AppriseSender
from tests.smtp import Mailbox, SlackRoom, post_office, slack_room
from watchfloor.alerting import message_id
from watchfloor.model import Alert, Brief, Delivery, Grade, SendOutcome
from watchfloor.settings import Settings

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOOK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
SECRET = "TIiajkdnlazkcOXrIdevi7FQ"

BRIEF = Brief(
    story_id=1,
    headline="Fleet returns to harbour",
    url="https://paper.example/fleet",
    publisher="Paper One",
    others=("Paper Two",),
    published=NOON,
    first_seen=NOON,
    sentence="The allied fleet returned to harbour on Monday.",
    marks=((4, 16),),
    topics=("naval",),
    entities=("NATO",),
    grade=Grade.FULL,
    score=7.0,
)
STORY = Alert("story:1:all", "story", "all", NOON, "naval (2 publishers)", (BRIEF,))

INJECTIONS = [
    "<!channel>", "<!here>", "<!everyone>", "!here>", "<@U123>", "<#C123>", "<!subteam^S1>", "&lt;!channel&gt;",
    "<!channel|all>", "<https://evil.example|https://bank.example>", "<mailto:a@b.example|x>", "`<!here>`",
    "*bold* <!here>", "```<!channel>```", "> <!channel>", "\u003c!channel\u003e", "<!date^1|x^http://evil.example|y>",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<a href='javascript:x()'>",
    "\"><script>alert(1)</script>", "'><img src=x>", "<!--", "-->", "<![CDATA[<script>]]>",
    "</style><script>x</script>",
    "</title><script>x</script>", "<iframe src=//evil.example>", "<math><mi//xlink:href='data:x'>", "{{ 7 * 7 }}",
    "{% include '/etc/passwd' %}", "${7*7}", "<%= 7 %>",
    "a\r\nBcc: evil@evil.example", "a\nBcc: evil@evil.example", "a\r\n\r\n<script>x</script>", "a\rX-Evil: 1",
    "a\u2028Bcc: evil@evil.example", "a\u0085X-Evil: 1", "a\x0bX-Evil: 1", "\r\n.\r\nMAIL FROM:<x@evil.example>",
    "\u202egnp.exe", "\u2066right\u2069", "\u200fX", "nul\x00<!here>", "lone \ud800 surrogate", "\U000e0041tag",
    "=?utf-8?q?=0D=0ABcc:_evil@evil.example?=", "x" * 10_000,
]  # fmt: skip


def policy_for(*urls: str) -> Policy:
    return parse("urls:\n" + "".join(f"  - {url}\n" for url in urls), "alerts.yaml", Settings())


def mail_to(box: Mailbox, *names: str) -> str:
    recipients = ",".join(f"{name}@desk.example" for name in names)
    return f"mailto://127.0.0.1:{box.port}?from=monitor@desk.example&to={recipients}"


def delivery(policy: Policy, alert: Alert = STORY, number: int = 0) -> Delivery:
    target = policy.targets[number].target.id
    return Delivery(1, 1, target, "sending", 1, message_id(alert.key, target), alert)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with post_office() as opened:
        yield opened


@pytest.fixture
def room() -> Iterator[SlackRoom]:
    with slack_room() as opened:
        yield opened


def headlines(texts: list[str]) -> list[Alert]:
    return [
        replace(
            STORY, key=f"story:{n}:all", briefs=(replace(BRIEF, story_id=n, headline=text, sentence=text, marks=()),)
        )
        for n, text in enumerate(texts)
    ]


# -- mail -------------------------------------------------------------------------------------------------------------


def test_each_answer_of_a_mail_server_is_its_own_outcome(box: Mailbox) -> None:
    names = ("good", "bad", "full", "spam", "cut")
    policy = policy_for(mail_to(box, *names))
    with AppriseSender(policy.targets) as sender:
        outcomes = {name: sender.send(delivery(policy, number=n)) for n, name in enumerate(names)}
    assert outcomes == {
        "good": SendOutcome("sent"),
        "bad": SendOutcome("refused", "550 no such mailbox"),
        "full": SendOutcome("retry", "451 try again later"),
        "spam": SendOutcome("refused", "554 looks like spam"),
        "cut": SendOutcome(
            "unknown", "the connection broke after the message was handed over (SMTPServerDisconnected)"
        ),
    }
    assert box.recipients() == ["good@desk.example"]


def test_a_silent_server_is_left_after_the_limit_and_others_are_served(box: Mailbox) -> None:
    policy = policy_for(mail_to(box, "silent", "good"))
    with AppriseSender(policy.targets, attempt=timedelta(seconds=6)) as sender:
        assert sender.send(delivery(policy, number=1)) == SendOutcome("sent")
        began = time.monotonic()
        hung = sender.send(replace(delivery(policy), alert=replace(STORY, key="b")))
        assert hung == SendOutcome("unknown", "no end after 6 s: stopped")
        assert time.monotonic() - began < 20
        again = sender.send(delivery(policy))
        assert (again.result, again.detail) == ("retry", "the target keeps failing and is left in peace")
        assert sender.send(delivery(policy, number=1)) == SendOutcome("sent")


def test_nobody_listens() -> None:
    policy = policy_for("mailto://127.0.0.1:9?from=a@desk.example&to=b@desk.example")
    with AppriseSender(policy.targets) as sender:
        assert sender.send(delivery(policy)) == SendOutcome(
            "retry", "the mail server could not be used (ConnectionRefusedError)"
        )


def test_the_circuit_opens_after_failures_in_a_row() -> None:
    policy = policy_for("mailto://127.0.0.1:9?from=a@desk.example&to=b@desk.example")
    with AppriseSender(policy.targets) as sender:
        details = [sender.send(delivery(policy)).detail for _ in range(4)]
    assert details[2].startswith("the mail server could not be used")
    assert details[3] == "the target keeps failing and is left in peace"


def test_a_mail_says_who_what_and_to_what_it_belongs(box: Mailbox) -> None:
    policy = policy_for(mail_to(box, "good"))
    update = replace(
        STORY, key="update:1:all:2", kind="update", briefs=(replace(BRIEF, news="Now 3 publishers carry it."),)
    )
    first = delivery(policy)
    second = replace(delivery(policy, update), refers_to=first.message_id)
    with AppriseSender(policy.targets, apart=0) as sender:
        assert [sender.send(one).result for one in (first, first, second)] == ["sent"] * 3
    mails = box.mails
    mine, other = f"<{first.message_id}>", f"<{second.message_id}>"
    assert [mail["Message-ID"] for mail in mails] == [mine, mine, other]
    assert [mail["References"] for mail in mails] == [None, None, mine]
    assert [str(mail["Subject"]) for mail in mails] == [BRIEF.headline] * 2 + [f"Update: {BRIEF.headline}"]
    assert [part.get_content_type() for part in mails[0].iter_parts()] == ["text/plain", "text/html"]


def test_a_digest_carries_its_picture_inside(box: Mailbox) -> None:
    policy = policy_for(mail_to(box, "good"))
    briefs = tuple(replace(BRIEF, story_id=number, topics=(f"topic {number % 2}",)) for number in range(5))
    with AppriseSender(policy.targets) as sender:
        assert sender.send(delivery(policy, replace(STORY, kind="digest", briefs=briefs))).result == "sent"
    (mail,) = box.mails
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
        "image/png",
    ]
    picture = list(mail.walk())[-1]
    assert picture["Content-ID"] == "<picture@watchfloor>"
    assert picture.get_content_disposition() == "inline"
    assert 'src="cid:picture@watchfloor"' in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]


def test_fifty_headlines_built_to_inject_are_inert_in_mail(box: Mailbox) -> None:
    policy = policy_for(mail_to(box, "good"))
    with AppriseSender(policy.targets, apart=0) as sender:
        results = [sender.send(delivery(policy, alert)).result for alert in headlines(INJECTIONS)]
    assert len(INJECTIONS) == 50
    assert results == ["sent"] * 50
    names = "Subject From To Date Message-ID Auto-Submitted MIME-Version Content-Type X-Peer X-MailFrom X-RcptTo"
    for mail in box.mails:
        assert set(mail.keys()) <= set(names.split())
        assert mail.defects == []
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        tags = set(re.findall(r"<\s*([a-z!/]+)", html.lower()))
        assert tags.isdisjoint({"script", "img", "svg", "iframe", "math", "/script", "!--", "![cdata["})
        assert "javascript:" not in re.findall(r'href="([^"]*)"', html)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\ud800-\udfff]", html + str(mail["Subject"]))


# -- Slack ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, SendOutcome("sent")),
        (429, SendOutcome("retry", "HTTP 429 no_service", timedelta(seconds=7))),
        (500, SendOutcome("retry", "HTTP 500 no_service")),
        (404, SendOutcome("refused", "HTTP 404 no_service")),
        (410, SendOutcome("refused", "HTTP 410 no_service")),
        (302, SendOutcome("refused", "HTTP 302 no_service")),
    ],
)
def test_each_answer_of_slack_is_its_own_outcome(room: SlackRoom, status: int, expected: SendOutcome) -> None:
    policy = policy_for(f"{HOOK}/{status}/")
    with AppriseSender(policy.targets, webhooks=room.base) as sender:
        assert sender.send(delivery(policy)) == expected
    assert len(room.posts) == 1  # once: neither retried nor redirected
    assert room.paths[0].endswith(SECRET)


def test_retry_after_holds_for_the_whole_target(room: SlackRoom) -> None:
    policy = policy_for(f"{HOOK}/429/")
    with AppriseSender(policy.targets, webhooks=room.base) as sender:
        sender.send(delivery(policy))
        again = sender.send(delivery(policy))
    assert again.result == "retry"
    assert again.retry_after is not None
    assert timedelta(seconds=4) < again.retry_after <= timedelta(seconds=7)
    assert len(room.posts) == 1


def test_fifty_headlines_built_to_inject_are_inert_in_slack(room: SlackRoom) -> None:
    forms = ("", "?format=text", "?format=markdown", "?blocks=yes", "?blocks=yes&format=text")
    policies = [policy_for(f"{HOOK}/{form}") for form in forms]
    for policy in policies:
        with AppriseSender(policy.targets, apart=0, webhooks=room.base) as sender:
            assert {sender.send(delivery(policy, one)).result for one in headlines(INJECTIONS)} == {"sent"}
    assert len(room.posts) == 50 * len(forms)
    ours = re.compile(r"<https://paper\.example/fleet\|")
    for post in room.posts:
        texts = [post["text"], *(block["text"]["text"] for block in post["blocks"])]
        assert not any("<" in ours.sub("", text) for text in texts)
        assert not any("!here>" in text for text in texts)
        assert all(len(text) <= 3000 for text in texts)
        assert all(block["text"]["verbatim"] for block in post["blocks"])
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00]", json.dumps(post, ensure_ascii=False))


FORMS_OF_SLACK = (
    HOOK,
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    f"{HOOK}/%23general/?format=html&blocks=yes&footer=yes&image=yes",
    "slack://Watch@xoxb-1234567890-1234567890123-4d66E0aTcNV0vmBQ5mvKs0AC/%23general",
    "slack://xoxb-1234567890-1234567890123-4d66E0aTcNV0vmBQ5mvKs0AC/ann@desk.example",
    f"slack://Watch@{HOOK.removeprefix('slack://')}?format=markdown&blocks=no",
    f"{HOOK}/%23general?mode=gov-hook",
    "slack://workflow/T1JJ3T3L2/A1BRTD4JD/12345678901234567/TIiajkdnlazkcOXrIdevi7FQ",
    "slack://T1JJ3T3L2/A1BRTD4JD/12345678901234567/TIiajkdnlazkcOXrIdevi7FQ?mode=workflow",
)


@pytest.mark.parametrize("url", FORMS_OF_SLACK)
def test_every_form_of_a_slack_url_sends_them_inert(url: str) -> None:
    plugin = load_plugin(url)
    assert plugin is not None
    slack = own(plugin)
    assert isinstance(slack, Slack)
    for alert in headlines(INJECTIONS):
        sent = json.dumps(slack._payload(render(alert, ZoneInfo("UTC"))), ensure_ascii=False)
        assert "<" not in sent.replace("<https://paper.example/fleet|", "")
        assert "!here>" not in sent


FORMS_OF_MAIL = ("", "&format=text", "&format=html", "&format=markdown", "&name=Watch", "&reply=a@desk.example")


@pytest.mark.parametrize("scheme", ["mailto", "mailtos"])
@pytest.mark.parametrize("form", FORMS_OF_MAIL)
def test_every_form_of_a_mail_url_sends_them_inert(scheme: str, form: str) -> None:
    plugin = load_plugin(f"{scheme}://127.0.0.1:9?from=monitor@desk.example&to=ann@desk.example{form}")
    assert plugin is not None
    mail = own(plugin)
    assert isinstance(mail, Mail)
    for alert in headlines(INJECTIONS):
        written = mail._compose(render(alert, ZoneInfo("UTC")), "1@watchfloor", None).as_bytes()
        head = written.partition(b"\r\n\r\n")[0]
        assert not re.search(rb"^(bcc|x-evil):", head, re.IGNORECASE | re.MULTILINE)
        html = message_from_bytes(written, policy=policy_of_mail).get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert not re.search(r"<(script|img|svg|iframe|math)|javascript:[^<]*\"", html, re.IGNORECASE)


@pytest.mark.parametrize("form", ["", "?format=text", "?format=html", "?format=markdown"])
def test_a_web_service_gets_them_inert_too(room: SlackRoom, form: str) -> None:
    """What takes JSON is no browser; what it might hand on calls nobody, and our own title is the title."""
    policy = policy_for(f"json://{room.base.removeprefix('http://')}{form}")
    with AppriseSender(policy.targets) as sender:
        assert {sender.send(delivery(policy, alert)).result for alert in headlines(INJECTIONS)} == {"sent"}
    assert len(room.posts) == 50
    for post in room.posts:
        assert post["title"] == STORY.subject
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\ud800-\udfff]", json.dumps(post, ensure_ascii=False))
        assert not re.search(r"@(everyone|here|channel)", post["message"])
        if "html" in form:
            assert not re.search(r"<(script|img|svg|iframe|math)|javascript:[^<]*\"", post["message"], re.IGNORECASE)


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_reaches_names_ids_errors_or_logs(caplog: pytest.LogCaptureFixture) -> None:
    policy = policy_for(HOOK, "mailto://monitor:hunter22@127.0.0.1:9?from=a@desk.example&to=b@desk.example")
    with caplog.at_level(logging.DEBUG), AppriseSender(policy.targets) as sender:
        outcome = sender.send(delivery(policy, number=1))
        logging.getLogger("apprise").error("Unparseable URL %s", HOOK)
    shown = repr(policy) + repr(outcome) + caplog.text
    assert SECRET not in shown
    assert "hunter22" not in shown
    assert "Unparseable URL (an address)" in caplog.text


def test_a_template_that_fails_on_one_alert_costs_the_look_and_not_the_alert(box: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "mail.txt.j2").write_text("{% if kind == 'story' %}{{ nobody.name }}{% endif %}mine", encoding="utf-8")
    policy = policy_for(mail_to(box, "good"))
    with AppriseSender(policy.targets, templates=tmp_path) as sender:
        outcomes = [
            sender.send(delivery(policy, replace(STORY, key=kind, kind=kind)))  # type: ignore[arg-type]
            for kind in ("story", "flood")
        ]
    assert outcomes == [SendOutcome("sent")] * 2
    texts = [str(mail.get_body(("plain",)).get_content()).split() for mail in box.mails]  # type: ignore[union-attr]
    assert texts[0] == render(STORY, ZoneInfo("UTC")).text.split()
    assert texts[1] == ["mine"]


def test_a_target_keeps_its_id_when_its_password_changes() -> None:
    ids = {
        policy_for(f"mailto://monitor:{password}@127.0.0.1?from=a@desk.example&to=b@desk.example").targets[0].target.id
        for password in ("one", "two")
    }
    assert len(ids) == 1
