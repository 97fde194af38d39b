"""The result of the trust suite: JSON, one HTML page, Markdown, and a short table for a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emovox.evaluation.report.document import Alert, Block, Code, Heading, Items, Table, Text, to_html, to_markdown
from emovox.evaluation.report.sections import NOTHING, percent
from emovox.evaluation.trust.outcome import OutcomeCounts, TrustResult, TrustTest, by_topic, tally
from emovox.evaluation.trust.suite import TOPICS
from emovox.schema.figure import CONDITIONS
from emovox.schema.files import write_whole
from emovox.schema.text import json_document

JSON_FILE, PAGE_FILE, MARKDOWN_FILE = "trust.json", "trust.html", "trust.md"


def write_trust(result: TrustResult, folder: Path) -> Path:
    """Write `trust.json`, `trust.html` and `trust.md`.

    Args:
        result: of the suite.
        folder: gets the files; it is made if it is missing.

    Returns:
        The path of the page.

    Raises:
        ConfigError: a file cannot be written.
    """
    title, blocks = f"May you rely on {result.model}?", trust_blocks(result)
    write_whole(folder / JSON_FILE, json_document(result).encode(), make_folder=True)
    write_whole(folder / MARKDOWN_FILE, to_markdown(title, blocks).encode())
    write_whole(folder / PAGE_FILE, to_html(title, blocks).encode())
    return folder / PAGE_FILE


def trust_blocks(result: TrustResult) -> list[Block]:
    """Return the page: tests by topic, what fails, all tests, what is not testable."""
    found = tally(result.tests)
    blocks: list[Block] = [
        Text(f"{sentence(found)} Form: {result.form}, seed {result.seed}."),
        topic_table(result),
        Heading("Corpora"),
        Table(("corpus", "how it is tested"), tuple(result.corpora.items()), names=2),
    ]
    blocks += [Items(result.notes)] if result.notes else []
    if errors := [test for test in result.tests if test.outcome == "error"]:
        blocks.append(Alert(f"The system fails in {len(errors)} tests: {errors[0].why}"))
    missed = [test for test in result.tests if test.outcome in ("fail", "error")]
    blocks += [Heading(f"What fails ({len(missed)})"), tests_table(missed) if missed else Text("Nothing.")]
    for topic, question in TOPICS.items():
        made = [test for test in result.tests if test.topic == topic and test.outcome != "not testable"]
        if made:
            blocks += [Heading(f"{topic.capitalize()}: {question}"), tests_table(made)]
    blocks += _not_here([test for test in result.tests if test.outcome == "not testable"])
    if result.command:
        blocks += [Heading("How to make this page again"), Code(result.command)]
    return blocks


def sentence(found: OutcomeCounts) -> str:
    """Return the numbers of tests as a sentence.

    >>> sentence(OutcomeCounts(4, 3, 2))
    '3 of 4 testable tests are passed (75.0 %); 2 are not testable here.'
    """
    return (
        f"{found.passed} of {found.testable} testable tests are passed ({percent(found.share)} %); "
        f"{found.not_testable} are not testable here."
    )


def topic_table(result: TrustResult) -> Table:
    """Return tests passed by topic, the table of a model card."""
    rows = [_topic_row(str(topic), TOPICS[topic], each) for topic, each in by_topic(result.tests).items()]
    rows.append(_topic_row("all", "", tally(result.tests)))
    return Table(("topic", "question", "passed", "testable", "%", "not testable"), tuple(rows), names=2)


def _topic_row(name: str, question: str, found: OutcomeCounts) -> tuple[str, ...]:
    return (name, question, str(found.passed), str(found.testable), percent(found.share), str(found.not_testable))


def tests_table(tests: Sequence[TrustTest]) -> Table:
    """Return tests with value, interval and limit."""
    rows = [
        (test.id, described(test), str(test.n), number(test.value), _interval(test), _limit(test), test.outcome)
        for test in tests
    ]
    return Table(("test", "value of", "n", "value", "95 % interval", "limit", "outcome"), tuple(rows), names=2)


def described(test: TrustTest) -> str:
    """Return the value in words, with label, condition or sound."""
    what = CONDITIONS.get(test.what, test.what)
    return f"{test.words}, {what}" if what else test.words


def number(value: float | None) -> str:
    """Return a value with three decimals; a dash without one."""
    return NOTHING if value is None else f"{value:.3f}"


def _interval(test: TrustTest) -> str:
    return NOTHING if test.low is None or test.high is None else f"{test.low:.3f} to {test.high:.3f}"


def _limit(test: TrustTest) -> str:
    return f"{'≥' if test.at_least else '≤'} {test.limit:.3f} ({test.source})"


def _not_here(tests: Sequence[TrustTest]) -> list[Block]:
    """Return the tests that are not testable here, grouped by their reason."""
    reasons: dict[str, list[str]] = {}
    for test in tests:
        reasons.setdefault(test.why, []).append(test.id)
    rows = tuple((why, ", ".join(names)) for why, names in reasons.items())
    return [Heading("Not testable here"), Table(("why", "tests"), rows, names=2)] if rows else []
