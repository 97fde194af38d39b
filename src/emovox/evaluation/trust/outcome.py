"""The outcome of each test, and the whole result as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from emovox.evaluation.figures.bootstrap import Interval
from emovox.evaluation.trust.suite import Check, Topic
from emovox.schema.errors import EmovoxError

Outcome = Literal["pass", "fail", "error", "not testable"]
"""`error` is a system that fails where it should answer; it counts as tested, and not as passed."""

ALL = "all"
"""`corpus` of a test over several corpora, or over none."""


class TrustTest(msgspec.Struct, frozen=True, kw_only=True):
    """One test.

    Attributes:
        id: "<topic>.<name>[.<label, condition or sound>]@<corpus>".
        topic: its topic.
        words: the value in words.
        what: the label, the condition or the sound; "" for none.
        corpus: the corpus, or "all".
        n: clips that the value rests on; for rejection, sounds.
        value: the measured value; None if nothing could be measured.
        limit: bound of the value.
        at_least: whether the value must reach the limit; otherwise it must not exceed it.
        low: lower end of the 95 % interval of the value; None without one.
        high: its upper end.
        outcome: see `Outcome`.
        why: reason of an error, or why the test is not testable here.
        source: where the limit comes from.
        parts: the value of each corpus, group or level that it is made of.
    """

    id: str
    topic: Topic
    words: str
    what: str
    corpus: str
    n: int
    value: float | None
    limit: float
    at_least: bool
    low: float | None
    high: float | None
    outcome: Outcome
    why: str
    source: str
    parts: dict[str, float]


class OutcomeCounts(NamedTuple):
    """Numbers of tests: testable, passed among these, and not testable."""

    testable: int
    passed: int
    not_testable: int

    @property
    def share(self) -> float:
        """Share of the testable tests that are passed; NaN without any."""
        return self.passed / self.testable if self.testable else math.nan


class TrustResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a suite.

    Attributes:
        model: name of the system.
        digest: hash of its files.
        form: full or quick.
        seed: of the samples, the conditions and the intervals.
        corpora: tested corpus → how: "out of fold", "unheard"; or why it does not count.
        command: the command line.
        notes: sentences about the result.
        tests: all tests, in the order of the suite.
    """

    model: str
    digest: str
    form: Literal["full", "quick"]
    seed: int
    corpora: dict[str, str]
    command: str
    notes: tuple[str, ...]
    tests: tuple[TrustTest, ...]


class Where(NamedTuple):
    """What a check is applied to: a corpus, and a label, condition or sound ("" for none)."""

    corpus: str
    what: str = ""


def judged(
    check: Check,
    where: Where,
    value: float,
    *,
    n: int,
    interval: Interval | None = None,
    limit: float | None = None,
    parts: Mapping[str, float] | None = None,
) -> TrustTest:
    """Return a test with its value compared with the limit; `limit` replaces that of the check.

    >>> from emovox.evaluation.trust.suite import SUITE
    >>> judged(SUITE[0], Where("tess"), 0.6, n=90).outcome
    'pass'
    """
    bound = check.limit if limit is None else limit
    passed = value >= bound if check.at_least else value <= bound
    given = interval is not None and not math.isnan(interval.low)
    return _made(
        check,
        where,
        n=n,
        value=value,
        limit=bound,
        low=interval.low if given and interval else None,
        high=interval.high if given and interval else None,
        outcome="pass" if passed else "fail",
        parts=dict(parts or {}),
    )


def not_testable(check: Check, where: Where, why: str, *, n: int = 0) -> TrustTest:
    """Return a test that cannot be made here, with the reason."""
    return _made(check, where, n=n, outcome="not testable", why=why)


def failed(check: Check, where: Where, error: EmovoxError | str, *, n: int = 0) -> TrustTest:
    """Return a test in which the system fails: the error's code and message are the reason."""
    why = error if isinstance(error, str) else f"{error.code}: {error}"
    return _made(check, where, n=n, outcome="error", why=why)


def _made(
    check: Check,
    where: Where,
    *,
    n: int,
    outcome: Outcome,
    why: str = "",
    value: float | None = None,
    limit: float | None = None,
    low: float | None = None,
    high: float | None = None,
    parts: dict[str, float] | None = None,
) -> TrustTest:
    name = ".".join(part for part in (check.topic, check.name, where.what) if part)
    return TrustTest(
        id=f"{name}@{where.corpus}",
        topic=check.topic,
        words=check.words,
        what=where.what,
        corpus=where.corpus,
        n=n,
        value=value,
        limit=check.limit if limit is None else limit,
        at_least=check.at_least,
        low=low,
        high=high,
        outcome=outcome,
        why=why,
        source=check.source,
        parts=parts or {},
    )


def tally(tests: Iterable[TrustTest]) -> OutcomeCounts:
    """Count tests by outcome."""
    found = list(tests)
    not_here = sum(test.outcome == "not testable" for test in found)
    return OutcomeCounts(len(found) - not_here, sum(test.outcome == "pass" for test in found), not_here)


def by_topic(tests: Sequence[TrustTest]) -> dict[Topic, OutcomeCounts]:
    """Count tests by topic, in the order of the tests."""
    topics = dict.fromkeys(test.topic for test in tests)
    return {topic: tally(test for test in tests if test.topic == topic) for topic in topics}
