"""What adaptation to a voice brings: the tables of docs/results.md, and a picture of the curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from emovox.evaluation.adaptation.counts import AdaptationCounts, read_counts
from emovox.evaluation.adaptation.draws import SIZES
from emovox.evaluation.adaptation.figures import AdaptedFigure, measure_adapted, stream_accuracy
from emovox.evaluation.adaptation.voices import BUDGETS, RANGES
from emovox.evaluation.report.colours import INK
from emovox.evaluation.report.style import new_figure, plain, save_figure
from publish.laboratory import RESULTS, ROOT, in_order
from publish.tables import NOTHING, table

FOLDER, PICTURES = RESULTS / "adaptation", ROOT / "docs" / "pictures"

NAMES = {
    "ravdess": "RAVDESS-8", "casia": "CASIA", "emodb": "EMO-DB", "nemo": "nEMO", "emovo": "EMOVO", "tess": "TESS",
}  # fmt: skip

SHOWN = 10
"""Clips for adaptation in the table of methods."""

COLOURS = {"all moods": "#0072b2", "70 % neutral": "#009e73", "neutral only": "#9a9a9a", "one mood, worst": "#d55e00"}

INTRODUCTION = """## Adaptation to a voice

From unlabelled clips of the test speaker, by the protocol of
[protocols.md](protocols.md#protocols-and-folds): clips for adaptation are never scored, means over five draws, the
estimator of each fold learns from the fold's training speakers. UAR over the labels of the corpus in %, then the change
against no adaptation over the same clips in points, with a 95 % interval over speakers. *One mood, worst*: all clips
are of one mood, and the mood that changes UAR most to the worse is shown. *Accuracy on the stream*: of 70 % neutral
clips, adapted by clips of the same mix.
"""


class Counted:
    """The counts of one model."""

    def __init__(self, rows: Sequence[AdaptationCounts]) -> None:
        self._cells: dict[tuple[str, str, str, str, str, int], list[AdaptationCounts]] = {}
        for row in rows:
            key = (row.corpus, row.view, row.method, row.mix, row.mood, row.clips)
            self._cells.setdefault(key, []).append(row)

    def corpora(self) -> list[str]:
        """Return the corpora, in the order of the tables."""
        found = {key[0] for key in self._cells}
        return [*(name for name in NAMES if name in found), *sorted(found - set(NAMES))]

    def cell(
        self, corpus: str, mix: str, clips: int, *, method: str = "mixture", mood: str = "", view: str = "own"
    ) -> list[AdaptationCounts]:
        """Return the rows of all speakers; none if no speaker has enough clips."""
        return self._cells.get((corpus, view, method, mix, mood, clips), [])

    def figure(
        self, corpus: str, mix: str, clips: int, *, method: str = "mixture", mood: str = ""
    ) -> AdaptedFigure | None:
        """Return the UAR of a cell."""
        rows = self.cell(corpus, mix, clips, method=method, mood=mood)
        return measure_adapted([rows]) if rows else None

    def worst(self, corpus: str, clips: int, *, method: str = "mixture") -> tuple[str, AdaptedFigure | None]:
        """Return the mood that changes UAR most to the worse where all clips are of it."""
        moods = sorted({key[4] for key in self._cells if key[0] == corpus and key[3] == "one"})
        found = {mood: self.figure(corpus, "one", clips, method=method, mood=mood) for mood in moods}
        there = {mood: each for mood, each in found.items() if each is not None}
        return min(there.items(), key=lambda item: item[1].change) if there else ("", None)


def read_models(folder: Path = FOLDER) -> Mapping[str, Counted]:
    """Return the counts of all models that have some."""
    paths = {path.stem: path for path in folder.glob("*.csv")}
    return {name: Counted(read_counts(paths[name])) for name in in_order(paths)}


def section(folder: Path = FOLDER) -> str:
    """Return the section of docs/results.md; "" without counts."""
    models = read_models(folder)
    parts = [f"### {name}\n\n{_model(name, counted)}" for name, counted in models.items()]
    return "\n".join([INTRODUCTION, *parts]) if parts else ""


def write_pictures(folder: Path = FOLDER, pictures: Path = PICTURES) -> None:
    """Draw the curves of each model."""
    for name, counted in read_models(folder).items():
        save_figure(curves(name, counted), pictures / f"adaptation-{name}.png")


def _model(name: str, counted: Counted) -> str:
    head = ("corpus", "clips", "speakers", "all moods", "70 % neutral", "accuracy on the stream", "neutral only")
    rows = [
        _mixes(counted, corpus, size)
        for corpus in counted.corpora()
        for size in (0, *SIZES)
        if counted.cell(corpus, "all", size)
    ]
    return (
        f"{table((*head, 'one mood, worst'), rows)}\n![UAR by clips](pictures/adaptation-{name}.png)\n\n"
        f"Ways to adapt, {SHOWN} unlabelled clips with all moods, or labelled ones; a source is 60 clips of other "
        f"speakers of the corpus:\n\n{_methods(counted)}\n"
        f"The running estimate: each utterance of a speaker, adapted by those before it:\n\n{_running(counted)}"
    )


def _mixes(counted: Counted, corpus: str, size: int) -> list[str]:
    everything = counted.figure(corpus, "all", size)
    assert everything is not None
    if not size:
        return [NAMES.get(corpus, corpus), "0", str(everything.speakers), f"{everything.plain:.1f}", *[NOTHING] * 4]
    quiet = counted.cell(corpus, "neutral-70", size)
    stream = measure_adapted([quiet], stream_accuracy) if quiet else None
    mood, worst = counted.worst(corpus, size)
    return [
        NAMES.get(corpus, corpus),
        str(size),
        str(everything.speakers),
        words(everything),
        words(counted.figure(corpus, "neutral-70", size)),
        words(stream),
        words(counted.figure(corpus, "one", size, mood="neutral")),
        f"{words(worst)} {mood}".strip(),
    ]


def _methods(counted: Counted) -> str:
    head = ["corpus", "plain", "mixture", "mean removed", "source alone", "source, mixture"]
    head += [f"{size} of {'each' if mix == 'each' else 'neutral'}" for mix, size in BUDGETS]
    rows = []
    for corpus in counted.corpora():
        start = counted.figure(corpus, "all", 0)
        cells = [
            counted.figure(corpus, "all", SHOWN),
            counted.figure(corpus, "all", SHOWN, method="mean"),
            counted.figure(corpus, "all", 0, method="source"),
            counted.figure(corpus, "all", SHOWN, method="source"),
            *(counted.figure(corpus, mix, size, method="labelled") for mix, size in BUDGETS),
        ]
        before = NOTHING if start is None else f"{start.plain:.1f}"
        rows.append([NAMES.get(corpus, corpus), before, *map(words, cells)])
    return table(head, rows)


def _running(counted: Counted) -> str:
    ranges = [f"{first} to {last}" if last > first else str(first) for first, last in RANGES]
    rows = [
        [
            NAMES.get(corpus, corpus),
            *(words(counted.figure(corpus, "all", first, method="running")) for first, _ in RANGES),
        ]
        for corpus in counted.corpora()
    ]
    return table(("corpus", *(f"utterance {one}" for one in ranges)), rows)


def words(found: AdaptedFigure | None) -> str:
    """Return a figure and its change: "61.0 (+8.5 [6.2, 11.0])"."""
    if found is None:
        return NOTHING
    return f"{found.adapted:.1f} ({found.change:+.1f} [{found.interval.low:.1f}, {found.interval.high:.1f}])"


def curves(name: str, counted: Counted) -> Figure:
    """Return the UAR by number of clips for each mix, one panel a corpus; no adaptation is 0 clips."""
    corpora = counted.corpora()
    columns = min(3, len(corpora))
    figure = new_figure(3.4 * columns, 2.7 * -(-len(corpora) // columns))
    grid = figure.subplots(-(-len(corpora) // columns), columns, squeeze=False)
    for axes, corpus in zip(grid.flat, corpora, strict=False):
        for mix, points in _lines(counted, corpus).items():
            places = [(0, *SIZES).index(size) for size, _ in points]
            axes.plot(places, [uar for _, uar in points], marker="o", ms=3, lw=1.5, color=COLOURS[mix], label=mix)
        axes.set_xticks(range(len(SIZES) + 1), ["0", *map(str, SIZES)])
        axes.set_title(NAMES.get(corpus, corpus), fontsize=10, color=INK)
        plain(axes, grid="y")
    for axes in grid.flat[len(corpora) :]:
        axes.set_visible(False)
    grid[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("clips of the speaker", fontsize=9, color=INK)
    figure.supylabel("UAR in %", fontsize=9, color=INK)
    figure.suptitle(f"{name}: unlabelled clips of the speaker against UAR", fontsize=10, color=INK)
    return figure


def _lines(counted: Counted, corpus: str) -> Mapping[str, list[tuple[int, float]]]:
    start = counted.figure(corpus, "all", 0)
    before = [] if start is None else [(0, start.plain)]
    cells: Mapping[str, Callable[[int], AdaptedFigure | None]] = {
        "all moods": lambda size: counted.figure(corpus, "all", size),
        "70 % neutral": lambda size: counted.figure(corpus, "neutral-70", size),
        "neutral only": lambda size: counted.figure(corpus, "one", size, mood="neutral"),
        "one mood, worst": lambda size: counted.worst(corpus, size)[1],
    }
    return {
        mix: [*before, *((size, each.adapted) for size in SIZES if (each := cell(size)) is not None)]
        for mix, cell in cells.items()
    }
