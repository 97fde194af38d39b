"""The report of a call as one HTML page: no script, no request, both schemes of colours, made to be printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from emovox import __version__
from emovox.evaluation.report.call.content import CallLine, CallMoment, CallParty, call_parties, moments
from emovox.evaluation.report.call.texts import CallTexts, call_texts
from emovox.evaluation.report.colours import colours_of
from emovox.schema.card import Figure, ModelCard
from emovox.schema.result import Notice, Result
from emovox.schema.text import printable

ROW_SECONDS = (15, 30, 60, 120, 300, 600, 1800, 3600)
"""Lengths of a row of the timeline in seconds; the shortest that needs at most `MOST_ROWS` rows is taken."""

MOST_ROWS = 12
"""Rows of the timeline: as many as a printed page shows."""


@dataclass(frozen=True)
class CallReport:
    """What a page shows.

    Attributes:
        result: of the call, with segments of the channels that were analysed.
        card: of the model.
        threshold: abstention threshold in [0, 1] that gave the labels.
        channels: number of channels of the recording.
        customer: the channel that was analysed; None: all of them.
        lines: of the transcript; None without one.
    """

    result: Result
    card: ModelCard
    threshold: float
    channels: int
    customer: int | None
    lines: tuple[CallLine, ...] | None = None


def call_page(report: CallReport, *, language: str) -> str:
    """Return the page in a language of `LANGUAGES`.

    The same report gives the same page, byte for byte.
    """
    texts = call_texts(language)
    parties = call_parties(report.result.segments, threshold=report.threshold)
    page = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    page.filters |= {"clock": _clock, "percent": _percent, "shown": printable}
    return page.get_template("call.html.j2").render(
        t=texts.words,
        texts=texts,
        report=report,
        card=report.card,
        parties=parties,
        several=len(parties) > 1,
        notice=_notice(report, texts),
        rows=_timeline(report.result.duration, parties),
        moments=[(moment, _said(moment, report.lines or ())) for moment in moments(report.result.segments)],
        colours=colours_of(report.card.labels),
        name=lambda label: texts.labels.get(label, printable(label)),
        warning=lambda notice: _warning(notice, texts),
        card_text=lambda text: _card_text(text, texts),
        figures=_figures(report.card),
        version=__version__,
    )


def _notice(report: CallReport, texts: CallTexts) -> str:
    """Return who was analysed and why no one else was, or what to do if a party was that must not be."""
    if report.channels == 1:
        return texts.mono
    return texts.both if report.customer is None else texts.customer.format(channel=report.customer)


@dataclass(frozen=True)
class _Bar:
    """A piece of a segment in a row of the timeline: `x` and `width` in seconds from the start of the row."""

    x: float
    width: float
    label: str | None
    best: str
    confidence: float
    start: float
    end: float


def _timeline(duration: float, parties: Sequence[CallParty]) -> list[dict[str, Any]]:
    """Return the rows: start and length in seconds, and the bars of each party."""
    length = next((one for one in ROW_SECONDS if duration <= one * MOST_ROWS), ROW_SECONDS[-1])
    count = max(1, -(-int(duration * 1000) // (length * 1000)))
    lanes: list[list[list[_Bar]]] = [[[] for _ in parties] for _ in range(count)]
    for number, party in enumerate(parties):
        for s in party.segments:
            best = max(s.scores, key=s.scores.__getitem__)
            for row in range(int(s.start // length), min(count, int(s.end // length) + 1)):
                low, high = max(s.start, row * length), min(s.end, (row + 1) * length)
                if high > low:
                    bar = _Bar(low - row * length, high - low, s.label, best, s.confidence, s.start, s.end)
                    lanes[row][number].append(bar)
    return [{"start": row * length, "length": length, "lanes": own} for row, own in enumerate(lanes)]


def _said(moment: CallMoment, lines: Sequence[CallLine]) -> str:
    """Return what the party of a moment says in it, by the transcript."""
    return " ".join(
        one.line.text
        for one in lines
        if one.channel == moment.channel and one.line.start < moment.end and one.line.end > moment.start
    )


def _figures(card: ModelCard) -> Sequence[Figure]:
    """Return the figures in the labels of the model, if the card has them, or else all."""
    own = [figure for figure in card.figures if figure.protocol.endswith("-seven")]
    return own or card.figures


def _warning(notice: Notice, texts: CallTexts) -> str:
    return texts.warnings.get(notice.code, "{message}").format(message=printable(notice.message))


def _card_text(text: str, texts: CallTexts) -> str:
    """Return a text of a card in the language of the page; the corpora behind it have a row of their own."""
    what = text.split("; learnt from ")[0]
    return texts.card.get(what, printable(what))


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
