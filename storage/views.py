"""Views that are pleasant to query with other tools; docs/archive.md shows them at work.

They belong to the program, not to a migration: every upgrade drops them first, so that a migration may change the
tables below them, and makes them again afterwards. Who changes one adds a migration, an empty one if need be.

    v_articles   an article a row: who, when, verdict, topics and entities as text, story, label, text
    v_stories    a story a row: how many articles of how many publishers, since when, told when
    v_mentions   an entity of an article a row
    v_alerts     an alert on its way to a target a row
"""

from __future__ import annotations

from sqlalchemy import Connection, text

NAMES = ("v_alerts", "v_mentions", "v_stories", "v_articles")  # as they may be dropped

# What the two databases spell differently: names in their order on one line, the day of a time, no more than that.
WORDS = {
    "sqlite": {
        "names": "(SELECT group_concat({name}, ', ') FROM (SELECT {name} FROM {table} AS n "
        "WHERE n.article_id = a.id ORDER BY n.position))",
        "day": "date({time})",
    },
    "postgresql": {
        "names": "(SELECT string_agg({name}, ', ' ORDER BY n.position) FROM {table} AS n WHERE n.article_id = a.id)",
        "day": "CAST({time} AT TIME ZONE 'UTC' AS date)",
    },
}

ARTICLES = """CREATE VIEW v_articles AS
    SELECT a.id, a.title, a.url, s.name AS source, a.source_id, s.publisher, s.country,
        coalesce(v.language, a.language) AS language, a.published, a.first_seen, {day} AS day, a.grade,
        coalesce(v.relevant, {no}) AS relevant, v.score, {topics} AS topics, {entities} AS entities,
        a.story_id, l.relevant AS label, a.page_sha256, a.text
    FROM articles AS a
    JOIN sources AS s ON s.id = a.source_id
    LEFT JOIN verdicts AS v ON v.article_id = a.id
    LEFT JOIN labels AS l ON l.article_id = a.id
    WHERE a.duplicate_of IS NULL"""
STORIES = """CREATE VIEW v_stories AS
    SELECT t.id, t.title, t.first_seen, t.updated, m.articles, m.publishers, m.countries, m.score, m.last_seen,
        (SELECT min(told_at) FROM alert_stories AS x WHERE x.story_id = t.id) AS first_told,
        (SELECT max(told_at) FROM alert_stories AS x WHERE x.story_id = t.id) AS last_told,
        t.muted, t.followed
    FROM stories AS t
    JOIN (
        SELECT a.story_id, count(*) AS articles, count(DISTINCT s.publisher) AS publishers,
            count(DISTINCT s.country) AS countries, max(v.score) AS score, max(a.first_seen) AS last_seen
        FROM articles AS a
        JOIN sources AS s ON s.id = a.source_id
        JOIN verdicts AS v ON v.article_id = a.id
        WHERE a.duplicate_of IS NULL AND v.relevant AND a.story_id IS NOT NULL
        GROUP BY a.story_id
    ) AS m ON m.story_id = t.id
    WHERE t.merged_into IS NULL"""
MENTIONS = """CREATE VIEW v_mentions AS
    SELECT m.entity, m.kind, m.by AS found_by, m.mentions, a.id AS article_id, a.title, a.url, s.publisher, s.country,
        a.dated, {day} AS day, v.relevant, a.story_id
    FROM mentions AS m
    JOIN articles AS a ON a.id = m.article_id
    JOIN sources AS s ON s.id = a.source_id
    JOIN verdicts AS v ON v.article_id = a.id
    WHERE a.duplicate_of IS NULL"""
ALERTS = """CREATE VIEW v_alerts AS
    SELECT x.id AS alert_id, x.kind, x.route, x.created, x.subject,
        (SELECT count(*) FROM alert_stories AS t WHERE t.alert_id = x.id) AS stories,
        d.id AS delivery_id, d.target, d.state, d.attempts, d.sent_at, d.error
    FROM alerts AS x
    LEFT JOIN deliveries AS d ON d.alert_id = x.id"""


def drop(connection: Connection) -> None:
    """Drop them where they are."""
    for name in NAMES:
        connection.execute(text(f"DROP VIEW IF EXISTS {name}"))


def create(connection: Connection) -> None:
    """Make them; to be called when the tables are those of `schema`."""
    for view in (ARTICLES, STORIES, MENTIONS, ALERTS):
        connection.execute(text(_spelled(view, connection.dialect.name)))


def _spelled(view: str, dialect: str) -> str:
    spelling = WORDS[dialect]
    return view.format(
        day=spelling["day"].format(time="a.dated"),
        topics=spelling["names"].format(name="topic", table="article_topics"),
        entities=spelling["names"].format(name="entity", table="mentions"),
        no="0" if dialect == "sqlite" else "false",
    )
