"""What the shell shows of hits: within the width, the words found in brackets, a title under its number."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from watchfloor.cli.printing import print_hits
from watchfloor.model import Hit

SEEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SNIPPET = (
    "… went home.  The last troops\nleft Gao, and the desert base was handed to those who had asked them to go, a …"
)


def test_a_hit_is_wrapped_under_its_title(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "48")
    start = SNIPPET.index("troops")
    hit = Hit(
        id=7,
        title="Soldiers leave the desert after eleven long years",
        url=None,
        source="harbour",
        publisher="Harbour Press",
        published=None,
        first_seen=SEEN,
        score=9.0,
        topics=(),
        entities=(),
        snippet=SNIPPET,
        marks=((start, start + len("troops")),),
        story=None,
    )
    print_hits([hit], ZoneInfo("UTC"))
    assert capsys.readouterr().out.splitlines() == [
        "     7  Soldiers leave the desert after eleven",
        "        long years",
        "        Harbour Press, 2026-03-01 12:30",
        "        … went home. The last [troops] left Gao,",
        "        and the desert base was handed to those",
        "        who had asked them to go, a …",
    ]
