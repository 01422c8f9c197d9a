"""`story`: look at a story, and decide of it by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.text import Text

from watchfloor import wiring
from watchfloor.cli import DONE
from watchfloor.cli.options import ArchiveOptions, Format
from watchfloor.cli.printing import as_json, console, when
from watchfloor.errors import ArchiveError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from watchfloor.model import StoryRecord

app = App(name="story", help="One story: show, mute, unmute, follow, unfollow, join, split.")
Story = Annotated[int, Parameter(help="The story's number.")]


@app.command
def show(story: Story, /, *, format: Format = "table", options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008 - frozen, and cyclopts reads it
    """Show a story: its articles, what was told of it, what may be related."""
    settings = options.settings()
    record = wiring.open_archive(settings).find_story(story)
    if record is None:
        raise ArchiveError(f"the archive knows no story {story}")
    if format == "json":
        print(as_json(record.as_json()))
    else:
        _print_story(record, settings.zone)
    return DONE


@app.command
def mute(story: Story, /, *, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Tell nothing more of a story, on any route."""
    wiring.open_archive(options.settings()).mute_story(story, True)
    print(f"Nothing more is told of story {story}.")
    return DONE


@app.command
def unmute(story: Story, /, *, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Tell of a muted story again."""
    wiring.open_archive(options.settings()).mute_story(story, False)
    print(f"Story {story} is told again.")
    return DONE


@app.command
def follow(story: Story, /, *, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Tell of every further article of a story at once, not of material news only."""
    wiring.open_archive(options.settings()).follow_story(story, True)
    print(f"Every further article of story {story} is told.")
    return DONE


@app.command
def unfollow(story: Story, /, *, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Tell of material news of a story only, as of any other."""
    wiring.open_archive(options.settings()).follow_story(story, False)
    print(f"Material news of story {story} is told.")
    return DONE


@app.command
def join(story: Story, other: Story, /, *, options: ArchiveOptions = ArchiveOptions()) -> int:  # noqa: B008
    """Make one story of two; the older number stays."""
    stays = wiring.open_archive(options.settings()).join_stories(story, other)
    print(f"They are story {stays} now.")
    return DONE


@app.command
def split(
    article: Annotated[int, Parameter(help="The article's number, as `story show` prints it.")],
    /,
    *,
    options: ArchiveOptions = ArchiveOptions(),  # noqa: B008
) -> int:
    """Give an article a story of its own; the two are not joined again by themselves."""
    made = wiring.open_archive(options.settings()).split_article(article)
    print(f"Article {article} is story {made} now.")
    return DONE


def _print_story(record: StoryRecord, zone: ZoneInfo) -> None:
    brief, out = record.brief, console()
    marks = [word for word, set_ in (("muted", record.muted), ("followed", record.followed)) if set_]
    out.print(Text.assemble((f"{brief.story_id:>6}", "dim"), "  ", (brief.headline, "bold")))
    facts = [
        ("score", f"{brief.score:.1f}"),
        ("topics", ", ".join(brief.topics) or "-"),
        ("entities", ", ".join(brief.entities) or "-"),
        ("carried by", ", ".join((brief.publisher, *brief.others))),
        ("marked", ", ".join(marks) or "-"),
    ]
    for name, value in facts:
        out.print(Text.assemble((f"{name:>12}  ", "dim"), value))
    out.print(Text("\nArticles", "bold"))
    for article in record.articles:
        at = when(article.published or article.first_seen, zone)
        out.print(Text.assemble((f"{article.id:>6}", "dim"), "  ", article.title))
        out.print(Text(f"        {article.publisher}, {at}, {article.grade.value}", "dim"))
    if record.related:
        out.print(Text("\nPossibly related", "bold"))
    for other in record.related:
        out.print(Text.assemble((f"{other.story_id:>6}", "dim"), "  ", other.headline))
    out.print(Text("\nTold", "bold"))
    for posting in record.postings:
        states = ", ".join(f"{one.target}: {one.state}" for one in posting.deliveries) or "no target"
        at = when(posting.alert.created, zone)
        out.print(Text(f"        {at}, {posting.alert.kind} on route {posting.alert.route}; {states}"))
    if not record.postings:
        out.print(Text("        nowhere", "dim"))
