"""Sections of a report: the headline table; for each corpus recalls, mistakes, calibration, speakers and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from emovox.evaluation.figures.bootstrap import Difference
from emovox.evaluation.figures.calibration import reliability
from emovox.evaluation.figures.comparison import Comparison, Measured, mean_calibration_errors
from emovox.evaluation.figures.metrics import METRICS, Estimate, by, chance, top_confusions, values
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.report import plots
from emovox.evaluation.report.document import Block, Heading, Picture, Table, Text
from emovox.evaluation.report.style import png_of

MOST_SPEAKERS = 40
"""Most rows of a table of speakers, the lowest first."""

NOTHING = "–"
"""Cell of a table without a figure."""

Sexes = Mapping[tuple[str, str], str | None]
"""(corpus, speaker) → "female" or "male"."""

TITLES: Mapping[str, str] = {
    "uar": "UAR", "accuracy": "accuracy", "weighted_f1": "weighted F1", "macro_f1": "macro F1", "ece": "ECE",
}  # fmt: skip


class Spread(NamedTuple):
    """Median and 95th percentile, in milliseconds."""

    median: float
    p95: float


@dataclass(frozen=True)
class Latency:
    """Latency over several recordings.

    `parts` is keyed by decode, speech, graph and total. If the profile separates them, it also has "front end" and
    "network"; their spread is that of the graph, scaled by their share. `real_time_factor` is processing time divided
    by time of audio. `audio` is the median length of a recording in seconds, `count` the number of recordings.
    """

    parts: dict[str, Spread]
    real_time_factor: float
    audio: float
    count: int


def percent(value: float | None) -> str:
    """Return a share as percent with one decimal; a dash without one.

    >>> percent(0.5), percent(None), percent(float("nan"))
    ('50.0', '–', '–')
    """
    return NOTHING if value is None or np.isnan(value) else f"{100 * value:.1f}"


def title_of(each: Measured) -> str:
    """Return the title of an entry on a corpus, which names the corpus once."""
    return each.name if each.name.startswith(each.corpus) else f"{each.name} on {each.corpus}"


def with_interval(estimate: Estimate) -> str:
    """Return an estimate as "76.1 [72.0, 79.9]"."""
    return f"{percent(estimate.value)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def over_folds(estimate: Estimate) -> str:
    """Return mean and deviation over folds as "76.0 ± 3.1"; a dash with one fold."""
    return NOTHING if estimate.fold_mean is None else f"{percent(estimate.fold_mean)} ± {percent(estimate.fold_sd)}"


def headline_table(measured: Sequence[Measured], *, costs: Mapping[str, tuple[str, str]]) -> Table:
    """Return a row for each entry and corpus, and one of chance for each corpus, with intervals for UAR and accuracy.

    Args:
        measured: ordered by corpus.
        costs: entry name → number of parameters and latency, in words.
    """
    head = ("corpus", "model", "protocol", "clips", *TITLES.values(), "UAR over folds", "parameters", "latency")
    rows: list[tuple[str, ...]] = []
    for number, each in enumerate(measured):
        found = each.summary
        corpus = f"{each.corpus}, {len(found.recalls)} classes"
        exact = [with_interval(found.uar), with_interval(found.accuracy)]
        others = [percent(found.estimates[name].value) for name in METRICS[2:]]
        cost = costs.get(each.name, (NOTHING, NOTHING))
        names = (corpus, each.name, each.protocol or NOTHING, str(found.clips))
        rows.append((*names, *exact, *others, over_folds(found.uar), *cost))
        if number + 1 == len(measured) or measured[number + 1].corpus != each.corpus:
            guess = chance(each.predictions)
            names = (corpus, "chance", NOTHING, str(found.clips))
            rows.append((*names, *(percent(guess[name]) for name in METRICS), NOTHING, NOTHING, NOTHING))
    return _without_empty(Table(head, tuple(rows), names=3))


def calibration_sentences(measured: Sequence[Measured]) -> list[str]:
    """Return a sentence for each entry on several corpora: its calibration error with corpora weighted equally."""
    return [
        f"{name}: ECE {percent(value)} %, its corpora weighted equally."
        for name, value in mean_calibration_errors(measured).items()
    ]


def points(difference: Difference) -> str:
    """Return a difference of shares in points, as "+1.2 [-0.3, +2.7]"."""
    return f"{100 * difference.value:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def verdict(difference: Difference) -> str:
    """Return whether a figure, of which more is better, has improved detectably.

    >>> verdict(Difference(0.02, -0.01, 0.05, 0.1, 0.2)), verdict(Difference(0.04, 0.01, 0.07, 0.0, 0.002))
    ('no detectable difference', 'better')
    """
    if not difference.detectable:
        return "no detectable difference"
    return "better" if difference.value > 0 else "worse"


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Return the differences of each entry from the first in points, with paired intervals, p, and a verdict."""
    rows = []
    for each in comparisons:
        cells = [text for d in each.differences.values() for text in (points(d), f"{d.p:.3f}")] or [NOTHING] * 4
        outcome = verdict(each.differences["uar"]) if each.differences else NOTHING
        rows.append((each.corpus, each.second, each.first, *cells, outcome))
    head = ("UAR [points]", "p", "accuracy [points]", "p", "by UAR")
    return Table(("corpus", "model", "against", *head), tuple(rows), names=3)


def latency_blocks(latency: Latency) -> list[Block]:
    """Return the latency table, with a paragraph on what was measured."""
    rows = [(name, f"{spread.median:.2f}", f"{spread.p95:.2f}") for name, spread in latency.parts.items()]
    division = (
        "front end and network share the graph's time by ONNX Runtime's profile of its nodes"
        if "network" in latency.parts
        else "front end and network are one graph, whose nodes do not separate them"
    )
    return [
        Heading("Latency"),
        Text(
            f"{latency.count} recordings, {latency.audio:.2f} s of audio in the median one, one thread; {division}. "
            f"`speech` is speech detection, tiles and aggregation. Real-time factor {latency.real_time_factor:.4f} "
            f"({1 / latency.real_time_factor:.0f} × real time)."
        ),
        Table(("part", "median [ms]", "95th percentile [ms]"), tuple(rows)),
    ]


def corpus_section(each: Measured, *, file: str, sexes: Sexes) -> list[Block]:
    """Return the section of one entry on one corpus.

    Args:
        each: its figures.
        file: prefix of the names of its pictures.
        sexes: sex of each speaker, if known.
    """
    found = each.summary
    title = title_of(each)
    bins = reliability(each.predictions.scores, each.predictions.label_index)
    blocks: list[Block] = [
        Heading(title),
        Text(_opening(each)),
        _all_figures(each),
        Heading("Recall of each class", 3),
        _recall_table(each),
        _picture(f"{file}-recall.png", f"Recall of each class: {title}", plots.recall_figure(found, title=title)),
        _picture(f"{file}-confusion.png", f"Confusion matrix: {title}", plots.confusion_figure(found, title=title)),
        Heading("Most frequent mistakes", 3),
        _mistakes(each.predictions),
        Heading("Calibration and abstention", 3),
        Text(_calibration(each)),
    ]
    if bins.count.sum():
        figure = plots.reliability_figure(bins, title=title)
        blocks.append(_picture(f"{file}-reliability.png", f"Reliability diagram: {title}", figure))
    return [*blocks, *_people(each, sexes), *_folds(each)]


def _without_empty(table: Table) -> Table:
    """Return a table without its empty columns."""
    full = [n for n in range(len(table.head)) if any(row[n] != NOTHING for row in table.rows)]
    rows = tuple(tuple(row[n] for n in full) for row in table.rows)
    return Table(tuple(table.head[n] for n in full), rows, names=sum(n < table.names for n in full))


def _all_figures(each: Measured) -> Table:
    rows = [
        (title, percent(found.value), f"{percent(found.low)} to {percent(found.high)}", over_folds(found))
        for title, found in ((TITLES[name], each.summary.estimates[name]) for name in METRICS)
    ]
    return _without_empty(Table(("figure", "%", "95 % interval", "mean ± deviation over folds"), tuple(rows)))


def _opening(each: Measured) -> str:
    found = each.summary
    speakers = f"{found.speakers} speakers" if found.speakers else "speakers unknown"
    lost = f" In {found.unanswered} clips no speech was found; they count as wrong." if found.unanswered else ""
    protocol = f"{each.protocol[0].upper()}{each.protocol[1:]}. " if each.protocol else ""
    return (
        f"{protocol}{found.clips} clips, {speakers}, {found.folds} {'fold' if found.folds == 1 else 'folds'}. "
        f"Intervals over {found.resampled}.{lost}"
    )


def _recall_table(each: Measured) -> Table:
    found = each.summary
    totals = found.confusion.sum(axis=1)
    rows = [
        (
            name,
            str(totals[found.classes.index(name)]),
            percent(value),
            f"{percent(found.recall_intervals[name].low)} to {percent(found.recall_intervals[name].high)}",
        )
        for name, value in found.recalls.items()
    ]
    return Table(("class", "clips", "recall [%]", "95 % interval"), tuple(rows))


def _mistakes(predictions: Predictions) -> Block:
    pairs = top_confusions(predictions, 10)
    if not pairs:
        return Text("None.")
    rows = [(pair.label, pair.predicted, str(pair.clips), percent(pair.share)) for pair in pairs]
    return Table(("true", "taken for", "clips", "share of the true class [%]"), tuple(rows), names=2)


def _calibration(each: Measured) -> str:
    error = each.summary.estimates["ece"]
    found = each.abstention
    if found is None:
        return "No clip has scores."
    return (
        f"Expected calibration error {with_interval(error)} % (15 bins). Keeping the 90 % of clips with the highest "
        f"scores (threshold {found.threshold:.3f}) labels {percent(found.share)} % of them, of which "
        f"{percent(found.accuracy)} % are right; without abstention {percent(each.summary.accuracy.value)} %."
    )


def _people(each: Measured, sexes: Sexes) -> list[Block]:
    if not each.summary.speakers:
        return []
    sex_of = {name: sexes.get((each.corpus, name)) for name in set(each.predictions.speaker.tolist())}
    blocks: list[Block] = []
    if all(sex_of.values()) and len(set(sex_of.values())) > 1:
        groups = np.array([sex_of[name] for name in each.predictions.speaker.tolist()])
        rows = [_group_row(str(name), each.predictions.select(groups == name)) for name in np.unique(groups)]
        blocks += [Heading("By sex", 3), Table(("sex", "clips", "UAR", "accuracy"), tuple(rows))]
    parts = [(name, part, values(part)["uar"]) for name, part in by(each.predictions, "speaker").items()]
    parts.sort(key=lambda item: item[2])
    rows = [_group_row(name, part, sex_of[name] or NOTHING) for name, part, _ in parts[:MOST_SPEAKERS]]
    heading = "By speaker, the lowest first"
    if len(parts) > MOST_SPEAKERS:
        heading += f" ({MOST_SPEAKERS} of {len(parts)})"
    table = _without_empty(Table(("speaker", "sex", "clips", "UAR", "accuracy"), tuple(rows), names=2))
    return [*blocks, Heading(heading, 3), table]


def _folds(each: Measured) -> list[Block]:
    parts = by(each.predictions, "fold")
    if len(parts) < 2:
        return []
    rows = [
        (
            name,
            str(len(set(part.speaker.tolist()))),
            str(len(part)),
            *(percent(values(part)[metric]) for metric in METRICS),
        )
        for name, part in parts.items()
    ]
    return [Heading("By fold", 3), Table(("fold", "speakers", "clips", *TITLES.values()), tuple(rows))]


def _group_row(name: str, part: Predictions, *more: str) -> tuple[str, ...]:
    found = values(part)
    return (name, *more, str(len(part)), percent(found["uar"]), percent(found["accuracy"]))


def _picture(file: str, alt: str, figure: Figure) -> Picture:
    return Picture(file, alt, png_of(figure))
