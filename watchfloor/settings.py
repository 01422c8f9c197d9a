"""Environment and `.env` -> Settings, once, at the door. Nothing else in the house reads the environment.

Every setting is `WATCHFLOOR_<NAME>` and an option of the commands that use it; docs/configuration.md lists them, and a
test holds the two together.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from watchfloor.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SHIPPED = Path(__file__).resolve().parent / "shipped"  # where the wheel keeps them; in a clone they lie at the top

NO_CONTACT = "WATCHFLOOR_CONTACT is not set: name a mail address or page at which publishers can reach you"


def shipped(name: str) -> Path:
    """The project's own copy of a data file: inside the installed package, or at the top of a clone."""
    packed = SHIPPED / name
    return packed if packed.exists() else Path(__file__).resolve().parent.parent / name


class Settings(BaseSettings):
    """What the environment says. Field descriptions are the documentation of the settings."""

    model_config = SettingsConfigDict(
        env_prefix="WATCHFLOOR_", env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///data/watchfloor.db"),
        description="The archive, as a SQLAlchemy URL: sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
    )
    sources: Path | None = Field(
        default=None, description="The feeds. Default: ./sources.yaml, else the list that ships with Watchfloor."
    )
    watchlist: Path | None = Field(
        default=None,
        description="Topics, keywords and entities. Default: ./watchlist.yaml, else the list that ships.",
    )
    alerts: Path | None = Field(
        default=None, description="Targets in Apprise's own YAML format, and routes. Default: ./alerts.yaml if there."
    )
    apprise_urls: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=AliasChoices("apprise_urls", "APPRISE_URLS"),
        description="Apprise URLs, separated by blanks: without an alerts file every relevant story goes to them.",
    )
    templates: Path | None = Field(
        default=None, description="A folder with mail templates of your own; what it lacks is taken from Watchfloor."
    )
    desk_url: str | None = Field(
        default=None, description="Where the desk's page is reached, for links in messages: https://desk.example.org."
    )
    contact: str | None = Field(
        default=None,
        description="An address or page at which a publisher can reach you; it goes into the User-Agent.",
    )
    proxy: SecretStr | None = Field(
        default=None, description="An explicit outgoing HTTP proxy. The environment's own proxy settings are ignored."
    )
    timezone: str = Field(default="UTC", description="The zone in which people read times, as an IANA name.")
    allow_addresses: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(),
        description="Private networks that may be fetched, as CIDRs separated by commas; on any port. Default: none.",
    )
    host_delay: float = Field(default=2.0, ge=0, le=3600, description="Seconds between two requests to one host.")
    host_connections: int = Field(default=1, ge=1, le=64, description="Connections to one host at a time.")
    workers: int = Field(
        default=2, ge=1, le=64, description="Processes that read feeds and pages; each takes about 100 MB."
    )
    gate: Literal["off", "rough"] = Field(
        default="off",
        description="rough: pages whose rough text says nothing of the list's keep that text and are not read in full.",
    )
    keep_raw_days: int = Field(default=30, ge=0, description="Days for which the raw pages are kept, compressed.")
    keep_text_days: int = Field(default=180, ge=1, description="Days for which texts that did not match are kept.")
    dask: str | None = Field(
        default=None,
        description="A Dask scheduler, tcp://HOST:PORT, on whose workers the shards of a cycle run. Default: here.",
    )
    ner_model: str = Field(
        default="",
        description="A spaCy model that looks for names the watchlist lacks, such as en_core_web_sm. Default: none.",
    )
    similar: Literal["auto", "off"] = Field(
        default="auto",
        description="auto: stories are grouped by what they mean, too, where the extra `similar` is installed.",
    )
    log: Literal["quiet", "text", "json"] = Field(
        default="quiet",
        description="Log lines on standard error: quiet (warnings alone), text, or json; all with the same keys.",
    )
    ping_url: SecretStr | None = Field(
        default=None,
        description="Asked after every good cycle of `serve`: an outside dead-man's switch, which notices silence.",
    )
    web_password: SecretStr | None = Field(
        default=None,
        min_length=8,
        description="Asked for by the desk's page; needed wherever others can reach it. Better in .env than here.",
    )
    web_tokens: SecretStr = Field(
        default=SecretStr(""),
        description="For machines that read the API and the feeds, separated by blanks; 16 characters and more each.",
    )
    web_hosts: str = Field(
        default="",
        description="Names by which the desk's page is reached, separated by blanks, as a browser says them.",
    )

    @field_validator("web_tokens")
    @classmethod
    def _tokens(cls, value: SecretStr) -> SecretStr:
        if any(len(token) < 16 for token in value.get_secret_value().split()):
            raise ValueError("a token has 16 characters or more")
        return value

    @field_validator("allow_addresses", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in value.split(",") if part.strip())

    @field_validator("templates")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is not a folder")
        return value

    @field_validator("desk_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value!r} is not an address; write https://desk.example.org")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not a time zone; use a name such as Europe/Berlin") from error
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown anywhere."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))

    @property
    def zone(self) -> ZoneInfo:
        """The reader's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def data_folder(self) -> Path:
        """Where the archive lies, if it is a file, else `data`."""
        scheme, _, rest = self.database_url.get_secret_value().partition(":///")
        return Path(rest.partition("?")[0]).parent if scheme.startswith("sqlite") else Path("data")

    @property
    def sources_path(self) -> Path:
        """The file of sources in force."""
        return self.sources or _own_or_shipped("sources.yaml")

    @property
    def watchlist_path(self) -> Path:
        """The watchlist in force."""
        return self.watchlist or _own_or_shipped("watchlist.yaml")

    @property
    def alerts_path(self) -> Path | None:
        """The alerts file in force, None where there is none."""
        own = Path("alerts.yaml")
        return self.alerts or (own if own.exists() else None)


def _own_or_shipped(name: str) -> Path:
    own = Path(name)
    return own if own.exists() else shipped(name)


def load(**overrides: object) -> Settings:
    """Settings from environment, `.env` and the given options (None: not given).

    Raises:
        ConfigurationError: one line naming the variable and what is wrong with it, never its value if it is a secret.
    """
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name if name == "APPRISE_URLS" else f"WATCHFLOOR_{name.upper()}"
        raise ConfigurationError(f"{variable}: {first['msg'].removeprefix('Value error, ')}") from None
