"""Alembic, told where the scripts are and which connection to use; there is no alembic.ini."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from storage import views


def configuration() -> Config:
    """Where the scripts are."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).resolve().parent).replace("%", "%%"))
    return config


def run(connection: Connection, found: str | None, *, target: str = "head") -> bool:
    """Upgrade within the connection's transaction. False, with nothing done, if revision `found` is not known here."""
    config = configuration()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        return False
    config.attributes["connection"] = connection
    views.drop(connection)
    command.upgrade(config, target)
    if target == "head":
        views.create(connection)
    return True
