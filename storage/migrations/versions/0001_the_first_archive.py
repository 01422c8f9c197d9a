"""The archive as it first was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _tables()
    if op.get_bind().dialect.name == "sqlite":
        _words_on_sqlite()
    else:
        _words_on_postgresql()


def _words_on_sqlite() -> None:
    """Folded words without accents: the tokenizer has nothing left to do but to cut at blanks."""
    op.execute(
        "CREATE VIRTUAL TABLE article_words USING fts5("
        "title, lead, text, tags, content='', tokenize='unicode61 remove_diacritics 0')"
    )


def _words_on_postgresql() -> None:
    """The vectors lie beside the table (external), so that a walk over its keys reads a hundred rows a page."""
    op.execute("CREATE TABLE article_words (key bigint PRIMARY KEY, words tsvector NOT NULL)")
    op.execute("ALTER TABLE article_words ALTER COLUMN words SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE article_words SET (toast_tuple_target = 128)")
    op.execute("CREATE INDEX ix_article_words_words ON article_words USING gin (words)")


def _tables() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("key", name="uq_alerts_key"),
    )
    op.create_index("ix_alerts_created", "alerts", ["created"])
    op.create_table(
        "cycles",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("began", TIME, nullable=False),
        sa.Column("ended", TIME, nullable=False),
        sa.Column("report", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cycles"),
    )
    op.create_index("ix_cycles_ended", "cycles", ["ended"])
    op.create_table(
        "hosts",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("not_before", TIME, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_hosts"),
    )
    op.create_table(
        "notes",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notes"),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("publisher", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=True),
        sa.Column("language", sa.Text, nullable=True),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("every_seconds", sa.Integer, nullable=False),
        sa.Column("full_text", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("added", TIME, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("host_hash", sa.Integer, nullable=False),
        sa.Column("etag", sa.Text, nullable=True),
        sa.Column("last_modified", sa.Text, nullable=True),
        sa.Column("validators_url", sa.Text, nullable=True),
        sa.Column("body_hash", sa.Text, nullable=True),
        sa.Column("next_at", TIME, nullable=True),
        sa.Column("first_answer", TIME, nullable=True),
        sa.Column("last_answer", TIME, nullable=True),
        sa.Column("last_new", TIME, nullable=True),
        sa.Column("last_unconditional", TIME, nullable=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", TIME, nullable=True),
        sa.Column("moved_to", sa.Text, nullable=True),
        sa.Column("moved_seen", sa.Integer, nullable=False),
        sa.Column("moved_since", TIME, nullable=True),
        sa.Column("gap_seconds", sa.Integer, nullable=True),
        sa.Column("wait_seconds", sa.Integer, nullable=True),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("health", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("owner", sa.Text, nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_index("ix_sources_next_at", "sources", ["next_at"])
    op.create_index("ix_sources_owner", "sources", ["owner"])
    op.create_table(
        "stories",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("updated", TIME, nullable=False),
        sa.Column("muted", sa.Boolean, nullable=False),
        sa.Column("merged_into", ID, nullable=True),
        sa.ForeignKeyConstraint(["merged_into"], ["stories.id"], name="fk_stories_merged_into"),
        sa.PrimaryKeyConstraint("id", name="pk_stories"),
    )
    op.create_index("ix_stories_updated", "stories", ["updated"])
    op.create_table(
        "alert_stories",
        sa.Column("alert_id", ID, autoincrement=False, nullable=False),
        sa.Column("story_id", ID, autoincrement=False, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("told_at", TIME, nullable=False),
        sa.Column("brief", JSON, nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_alert_stories_alert_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["story_id"], ["stories.id"], name="fk_alert_stories_story_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert_id", "story_id", name="pk_alert_stories"),
    )
    op.create_index("ix_alert_stories_story_id_route", "alert_stories", ["story_id", "route"])
    op.create_table(
        "articles",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("canonical_url", sa.Text, nullable=True),
        sa.Column("authors", JSON, nullable=False),
        sa.Column("language", sa.Text, nullable=True),
        sa.Column("published", TIME, nullable=True),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("dated", TIME, nullable=False),
        sa.Column("fetched_at", TIME, nullable=True),
        sa.Column("grade", sa.Text, nullable=False),
        sa.Column("text_from", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("baseline", sa.Boolean, nullable=False),
        sa.Column("old_news", sa.Boolean, nullable=False),
        sa.Column("duplicate_of", ID, nullable=True),
        sa.Column("story_id", ID, nullable=True),
        sa.Column("word_key", sa.BigInteger, nullable=True),
        sa.Column("pruned", TIME, nullable=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["duplicate_of"], ["articles.id"], name="fk_articles_duplicate_of"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_articles_source_id"),
        sa.ForeignKeyConstraint(["story_id"], ["stories.id"], name="fk_articles_story_id"),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
        sa.UniqueConstraint("key", name="uq_articles_key"),
    )
    op.create_index("ix_articles_canonical_url_source_id", "articles", ["canonical_url", "source_id"])
    op.create_index("ix_articles_dated", "articles", ["dated"])
    op.create_index("ix_articles_first_seen", "articles", ["first_seen"])
    op.create_index("ix_articles_story_id", "articles", ["story_id"])
    op.create_index("ix_articles_url", "articles", ["url"])
    op.create_table(
        "deliveries",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("owner", sa.Text, nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name="fk_deliveries_alert_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("alert_id", "target", name="uq_deliveries_alert_id_target"),
    )
    op.create_index("ix_deliveries_owner", "deliveries", ["owner"])
    op.create_index("ix_deliveries_state_next_at", "deliveries", ["state", "next_at"])
    op.create_table(
        "article_topics",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name="fk_article_topics_article_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_id", "topic", name="pk_article_topics"),
    )
    op.create_index("ix_article_topics_topic_article_id", "article_topics", ["topic", "article_id"])
    op.create_table(
        "entries",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("article_id", ID, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("authors", JSON, nullable=False),
        sa.Column("published", TIME, nullable=True),
        sa.Column("language", sa.Text, nullable=True),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_entries_article_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_entries_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
    )
    op.create_index("ix_entries_article_id", "entries", ["article_id"])
    op.create_index("ix_entries_source_id", "entries", ["source_id"])
    op.create_table(
        "labels",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("relevant", sa.Boolean, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_labels_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name="pk_labels"),
    )
    op.create_table(
        "mentions",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("mentions", sa.Integer, nullable=False),
        sa.Column("places", JSON, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_mentions_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", "entity", name="pk_mentions"),
    )
    op.create_index("ix_mentions_entity_article_id", "mentions", ["entity", "article_id"])
    op.create_table(
        "raw_pages",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("fetched_at", TIME, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("html", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_raw_pages_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name="pk_raw_pages"),
    )
    op.create_index("ix_raw_pages_fetched_at", "raw_pages", ["fetched_at"])
    op.create_table(
        "related",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("other_id", ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_related_article_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["other_id"], ["articles.id"], name="fk_related_other_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", "other_id", name="pk_related"),
    )
    op.create_index("ix_related_other_id", "related", ["other_id"])
    op.create_table(
        "verdicts",
        sa.Column("article_id", ID, autoincrement=False, nullable=False),
        sa.Column("judged", sa.Boolean, nullable=False),
        sa.Column("language", sa.Text, nullable=True),
        sa.Column("relevant", sa.Boolean, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("watchlist", sa.Text, nullable=False),
        sa.Column("judged_at", TIME, nullable=False),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("sketch", sa.LargeBinary, nullable=True),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_verdicts_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name="pk_verdicts"),
    )
    op.create_index("ix_verdicts_relevant_article_id", "verdicts", ["relevant", "article_id"])
    op.create_table(
        "work",
        sa.Column("article_id", ID, nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("host_hash", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text, nullable=True),
        sa.Column("until", TIME, nullable=True),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_work_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", "stage", name="pk_work"),
    )
    op.create_index("ix_work_owner", "work", ["owner"])
    op.create_index("ix_work_stage_due_at", "work", ["stage", "due_at"])
    op.create_table(
        "entry_keys",
        sa.Column("source_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name="fk_entry_keys_entry_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_entry_keys_source_id"),
        sa.PrimaryKeyConstraint("source_id", "key", name="pk_entry_keys"),
    )
    op.create_index("ix_entry_keys_entry_id", "entry_keys", ["entry_id"])
