"""What Apprise lacks, in plugin classes of our own: one target, an outcome instead of a yes or no.

Mail      a stable Message-ID, References, text and HTML as rendered; SMTP's answers told apart
Slack     blocks as rendered, Retry-After heeded, redirects not followed, HTTP's answers told apart
Other     any other service of Apprise: it took the message, or it did not

Nothing here logs, and no outcome quotes a URL: they hold secrets.
"""

from __future__ import annotations

import contextlib
import logging
import re
import smtplib
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import policy
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import unquote

import requests
from apprise import Apprise, NotifyFormat
from apprise.plugins.base import NotifyBase
from apprise.plugins.slack import NotifySlack, SlackMode
from urllib3.exceptions import MaxRetryError

from alerts.render import PICTURE, Message
from watchfloor.logs import SHORTEST_SECRET
from watchfloor.model import SendOutcome

with warnings.catch_warnings():  # Apprise's mail loads PGPy's shims, which ask for the deprecated imghdr
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    from apprise.plugins.email import NotifyEmail
    from apprise.plugins.email.base import PGP_MODE_DEFAULT
    from apprise.plugins.email.common import SecureMailMode

SLACK_APART = 1.0  # seconds between two messages to one webhook: Slack's own limit
SLACK_BLOCKS = 50  # Slack refuses a message with more
DETAIL = 200  # characters of a server's answer that are kept
# No transfer encoding of eight bits: every server takes seven. Lines of 120, so that no Message-ID is folded onto a
# line of its own, which old mail programs misread.
MAIL = policy.SMTP.clone(cte_type="7bit", max_line_length=120)

_SEPARATORS = re.compile(r"[/:@?&=,\s]+")
# In a path a word as long as this is the key of a webhook: Apprise masks those that it knows by the service alone.
_TOKEN = re.compile(r"(?<![^/])([A-Za-z0-9_-])[A-Za-z0-9_-]{14,}([A-Za-z0-9_-])(?![^/])")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def quieten() -> None:
    """Keep secrets out of logs: Apprise's DEBUG prints tokens, its ERROR whole URLs; urllib3's DEBUG prints paths."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    if _redact not in logger.filters:
        logger.addFilter(_redact)
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args = _URL.sub("(an address)", record.getMessage()), None
    return True


quieten()


class Plugin(Protocol):
    """One target that takes a message."""

    def deliver(self, message: Message, message_id: str, refers_to: str | None) -> SendOutcome:
        """Try once. `refers_to`: the Message-ID of the message that this one goes on from."""
        ...


def load(url: str) -> NotifyBase | None:
    """The plugin for a URL, None if Apprise cannot read it."""
    plugin = Apprise.instantiate(url)
    return plugin if isinstance(plugin, NotifyBase) else None


def own(plugin: NotifyBase) -> Plugin:
    """The same target as a plugin of ours."""
    if isinstance(plugin, NotifyEmail):
        return cast(Mail, _again(plugin, Mail))
    if isinstance(plugin, NotifySlack):
        return cast(Slack, _again(plugin, Slack))
    return Other(plugin)


def _again(plugin: Any, kind: Any, **changed: object) -> Any:
    """The plugin made once more as a `kind`, from its own URL. Any: Apprise is half typed."""
    return kind(**{**kind.parse_url(plugin.url()), "asset": plugin.asset, **changed})


def address_of(plugin: Any) -> str:
    """The URL that makes this plugin again. A secret."""
    return str(plugin.url())


def name_of(plugin: NotifyBase) -> str:
    """What a target is called among people, without a secret."""
    if isinstance(plugin, NotifyEmail):
        return f"{plugin.targets[0][1]} via {plugin.smtp_host}"
    return _TOKEN.sub(r"\1...\2", masked(plugin))


def secrets_of(plugin: Any) -> tuple[str, ...]:
    """What of a URL must not be shown: what Apprise masks, long words of a path, and the values of a user's headers."""
    url, private = str(plugin.url()), str(plugin.url(privacy=True))
    shown = {*_SEPARATORS.split(private), *_SEPARATORS.split(unquote(private))}
    written = {*_SEPARATORS.split(url), *_SEPARATORS.split(unquote(url))}
    hidden = {part for part in written if part not in shown or _TOKEN.fullmatch(part)}
    hidden |= {str(value) for value in getattr(plugin, "headers", {}).values()}
    return tuple(sorted((part for part in hidden if len(part) >= SHORTEST_SECRET), key=len, reverse=True))


def apart(plugin: NotifyBase) -> float:
    """Seconds between two messages to one target. Apprise paces each of its plugins by itself, and each of our
    processes has one of its own."""
    if isinstance(plugin, NotifyEmail):
        return 0.0
    return SLACK_APART if isinstance(plugin, NotifySlack) else float(plugin.request_rate_per_sec)


def masked(plugin: Any) -> str:
    """The URL with what Apprise takes for its secrets masked."""
    return str(plugin.url(privacy=True)).split("?")[0].rstrip("/")


def complaint(plugin: NotifyBase) -> str | None:
    """Why this URL cannot be one of ours, in words; None if it can."""
    if isinstance(plugin, NotifyEmail):
        if plugin.cc or plugin.bcc:
            return "cc and bcc would be lost or doubled when one recipient fails: write an own URL for each"
        if plugin.pgp_mode != PGP_MODE_DEFAULT:
            return "encrypted mail is not supported"
    return None


def each(plugin: NotifyBase) -> list[NotifyBase]:
    """The plugin as one plugin per recipient or channel, so that one that fails repeats nothing to the others."""
    if isinstance(plugin, NotifyEmail):
        return [_again(plugin, NotifyEmail, targets=[address]) for _, address in plugin.targets]
    if isinstance(plugin, NotifySlack) and len(plugin.channels) > 1:
        return [_again(plugin, NotifySlack, targets=[channel]) for channel in plugin.channels]
    return [plugin]


# -- mail -------------------------------------------------------------------------------------------------------------


class _Smtp(smtplib.SMTP):
    """Knows whether the message itself is on its way: a connection that breaks then leaves the outcome open."""

    in_data = False

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.in_data = True
        answer = super().data(msg)
        self.in_data = False
        return answer


class _SmtpSsl(_Smtp, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


class Mail(NotifyEmail):  # type: ignore[no-untyped-call]  # Apprise is half typed
    """Apprise's e-mail, with our headers and SMTP's own answers."""

    def deliver(self, message: Message, message_id: str, refers_to: str | None) -> SendOutcome:
        """Send one mail to the one recipient."""
        recipient = self.targets[0][1]
        try:
            content = self._compose(message, message_id, refers_to).as_bytes()
        except (ValueError, UnicodeError) as error:
            return SendOutcome("refused", f"the mail cannot be written ({type(error).__name__})")
        connection: _Smtp | None = None
        try:
            connection = self._connect()
            self._log_in(connection)
            connection.sendmail(str(self.from_addr[1]), [recipient], content)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return self._outcome(error, in_data=connection is not None and connection.in_data)
        finally:
            if connection is not None:
                self._hang_up(connection)
        return SendOutcome("sent")

    def _compose(self, message: Message, message_id: str, refers_to: str | None) -> EmailMessage:
        mail = EmailMessage(policy=MAIL)
        # The mail library decodes an encoded word that it is given, and a line end inside it becomes a header (tried).
        mail["Subject"] = message.subject.replace("=?", "= ?")
        mail["From"] = MailAddress(str(self.from_addr[0] or "Watchfloor"), addr_spec=str(self.from_addr[1]))
        mail["To"] = MailAddress(str(self.targets[0][0] or ""), addr_spec=str(self.targets[0][1]))
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<{message_id}>"
        if refers_to:
            mail["In-Reply-To"] = mail["References"] = f"<{refers_to}>"
        if self.reply_to:
            mail["Reply-To"] = ", ".join(sorted(self.reply_to))
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: out-of-office answers stay away
        for name, value in self.headers.items():
            if name not in mail:  # the user's own, from the URL
                mail[name] = value
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        if message.picture:
            html = mail.get_body(("html",))
            assert html is not None
            html.add_related(
                message.picture, "image", "png", cid=f"<{PICTURE}>", filename="picture.png", disposition="inline"
            )
        return mail

    def _connect(self) -> _Smtp:
        context = ssl.create_default_context()
        if not self.verify_certificate:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port, wait = str(self.smtp_host), int(self.port or 0), self.socket_connect_timeout
        if self.secure_mode == SecureMailMode.SSL:
            return _SmtpSsl(host, port, timeout=wait, context=context)
        connection = _Smtp(host, port, timeout=wait)
        if self.secure_mode == SecureMailMode.STARTTLS:
            connection.starttls(context=context)
        return connection

    def _log_in(self, connection: _Smtp) -> None:
        if self.user and self.password:
            connection.login(self.user, self.password)

    @staticmethod
    def _hang_up(connection: _Smtp) -> None:
        """Say goodbye and go, as Postfix does: the answer changes nothing, and Exim takes 0.2 s for it."""
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection.putcmd("quit")
        connection.close()

    @staticmethod
    def _outcome(error: Exception, *, in_data: bool) -> SendOutcome:
        match error:
            case smtplib.SMTPRecipientsRefused(recipients=refusals):
                code, reason = next(iter(refusals.values()))
                return _by_code(code, reason)
            case smtplib.SMTPAuthenticationError(smtp_code=code):
                return SendOutcome("retry", f"the mail server did not accept the login ({code})")
            case smtplib.SMTPResponseException(smtp_code=code, smtp_error=reason) if code > 0:
                return _by_code(code, reason)
        what = type(error).__name__
        if in_data:
            return SendOutcome("unknown", f"the connection broke after the message was handed over ({what})")
        return SendOutcome("retry", f"the mail server could not be used ({what})")


def _by_code(code: int, reason: bytes | str) -> SendOutcome:
    words = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
    detail = f"{code} {' '.join(words.split())}"[:DETAIL]
    return SendOutcome("refused" if code >= 500 else "retry", detail)


# -- Slack ------------------------------------------------------------------------------------------------------------


class Slack(NotifySlack):  # type: ignore[no-untyped-call]  # Apprise is half typed
    """Apprise's Slack, with blocks of ours and HTTP's own answers."""

    def deliver(self, message: Message, message_id: str, refers_to: str | None) -> SendOutcome:
        """Post once. Slack knows neither keys nor threads for webhooks: the ids are not sent."""
        try:
            answer = requests.post(
                self._address(),
                json=self._payload(message),
                headers=self._headers(),
                timeout=self.request_timeout,
                verify=self.verify_certificate,
                allow_redirects=False,  # a webhook that moved is not followed: who knows whose it is now
            )
        except requests.RequestException as error:
            return _unanswered(error)
        return self._outcome(answer)

    def _address(self) -> str:
        if self.mode in (SlackMode.WORKFLOW, SlackMode.WORKFLOW_TRIGGER):
            trigger = self.mode is SlackMode.WORKFLOW_TRIGGER
            return "/".join((self.workflow_trigger_url if trigger else self.workflow_url, *self.workflow_path))
        if self.mode is SlackMode.BOT:
            return str(self.api_url.format("chat.postMessage"))
        base = self.webhook_gov_url if self.mode is SlackMode.WEBHOOK_GOV else self.webhook_url
        return f"{base}/{self.token_a}/{self.token_b}/{self.token_c}"

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": "Watchfloor", "Accept": "application/json"}
        if self.mode is SlackMode.BOT:
            headers["Authorization"] = f"Bearer {self.access_token}"
        return headers

    def _payload(self, message: Message) -> dict[str, Any]:
        if self.mode in (SlackMode.WORKFLOW, SlackMode.WORKFLOW_TRIGGER):
            return {"text": "\n\n".join(message.slack)}
        # `verbatim`, `parse` and `link_names`: Slack makes no links, mentions or channels of its own from the text.
        blocks = [
            {"type": "section", "text": {"type": "mrkdwn", "text": part, "verbatim": True}} for part in message.slack
        ]
        payload: dict[str, Any] = {
            "text": message.notice,
            "blocks": blocks[:SLACK_BLOCKS],
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
        }
        channel = self.channels[0] if self.channels else None
        if channel:
            payload["channel"] = channel.removeprefix("+") if channel[0] in "+@#" else f"#{channel}"
        return payload

    def _outcome(self, answer: requests.Response) -> SendOutcome:
        status = answer.status_code
        if status == HTTPStatus.OK:
            return self._bot_outcome(answer) if self.mode is SlackMode.BOT else SendOutcome("sent")
        words = " ".join(answer.text.split())
        detail = f"HTTP {status} {words if words.replace('_', '').isalpha() else ''}".strip()[:DETAIL]
        if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS) or status >= 500:
            return SendOutcome("retry", detail, _retry_after(answer.headers.get("Retry-After")))
        return SendOutcome("refused", detail)

    @staticmethod
    def _bot_outcome(answer: requests.Response) -> SendOutcome:
        """The bot's interface says 200 to everything and puts the truth into the body."""
        try:
            said = answer.json()
        except ValueError:
            return SendOutcome("unknown", "an answer that is no JSON")
        if said.get("ok"):
            return SendOutcome("sent")
        error = str(said.get("error", "no reason given"))[:DETAIL]
        passing = error in ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable")
        return SendOutcome("retry" if passing else "refused", error)


def _unanswered(error: requests.RequestException) -> SendOutcome:
    """No answer came. Nothing was sent if there was no connection; else nobody knows."""
    what = type(error).__name__
    unconnected = isinstance(error, requests.ConnectTimeout) or (
        bool(error.args) and isinstance(error.args[0], MaxRetryError)
    )
    if unconnected and not isinstance(error, requests.ReadTimeout):
        return SendOutcome("retry", f"no connection ({what})")
    return SendOutcome("unknown", f"no answer ({what})")


def _retry_after(value: str | None) -> timedelta | None:
    """Retry-After in either of its forms; None where it says nothing that can be used."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return timedelta(seconds=min(int(value), 10**7))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(moment - datetime.now(UTC), timedelta(0))


# -- everything else --------------------------------------------------------------------------------------------------


class Other:
    """Any other service of Apprise, as it is."""

    def __init__(self, plugin: NotifyBase) -> None:
        plugin.retry = 0  # the outbox retries; Apprise would repeat what had arrived
        plugin.redirects = False
        self._apprise = Apprise()
        self._apprise.add(plugin)

    def deliver(self, message: Message, message_id: str, refers_to: str | None) -> SendOutcome:
        """Apprise knows yes and no only: no means that it is tried again. Its reason is in what it logs."""
        # Discord and others call people by `@everyone` in any text: a word joiner after the @ keeps them asleep.
        body = message.plain_html.replace("@", "@\N{WORD JOINER}")
        with _heard() as words:
            if self._apprise.notify(body=body, title=message.title, body_format=NotifyFormat.HTML):
                return SendOutcome("sent")
        said = f": {' '.join(words[-1].split())}" if words else ""
        return SendOutcome("retry", f"the service did not take it{said}"[:DETAIL])


class _Listener(logging.Handler):
    """Keeps what is said, as far as it may be."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record's words; `_redact` has been over them."""
        self.words.append(record.getMessage())


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """What Apprise says of a failure, which it tells its log alone; the log does not get it."""
    logger, listener = logging.getLogger("apprise"), _Listener()
    before, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        yield listener.words
    finally:
        logger.removeHandler(listener)
        logger.propagate = before
