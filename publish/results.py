"""docs/results.md, the table of docs/quality.md, and that of both READMEs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from emovox.evaluation.figures.comparison import Measured
from emovox.evaluation.figures.metrics import chance
from emovox.evaluation.report.caveats import caveats
from emovox.evaluation.report.document import to_markdown
from emovox.runtime.registry import shipped
from emovox.schema.figure import FigureKey
from publish import adaptation
from publish.ablation import ablation_table, read_runs
from publish.laboratory import MODELS, Figures, figure
from publish.tables import (
    NOTHING,
    corpus_table,
    cost_table,
    costs,
    interval,
    overview_table,
    percent,
    published_tables,
    recall_table,
    reference_table,
    seven_table,
    table,
)

JOINT = ("ravdess-8", "casia", "emodb", "nemo")

SECTIONS = {
    "ravdess-8": "RAVDESS, 8 classes (calm apart)",
    "ravdess-7": "RAVDESS, 7 classes (calm is neutral)",
    "emodb": "EMO-DB, 7 classes (boredom, no surprise; the seven-class view leaves boredom out)",
    "casia": "CASIA, 6 classes",
    "nemo": "nEMO, 6 classes",
    "emovo": "EMOVO, 7 classes",
    "tess": "TESS, 7 classes",
}
README_MODELS = tuple(name for name in reversed(MODELS) if name in shipped())
"""The shipped models, the best first."""

README_ROWS = (*((dataset, "joint", "tile") for dataset in JOINT), ("tess", "unheard", "tile"))
QUALITY_ROWS = (
    *((dataset, "joint", condition) for condition in ("tile", "narrow", "speaker-norm") for dataset in JOINT),
    ("tess", "unheard", "tile"),
    *((dataset, "si", "tile") for dataset in ("ravdess-8", "emodb", "casia")),
    *((dataset, "sd", "tile") for dataset in ("ravdess-7", "casia")),
)
"""Corpus, protocol and condition of each row, in the READMEs and in docs/quality.md."""

FEATURES = {
    "functionals/1-mfcc": "13 MFCC",
    "functionals/2-delta": "+ Δ + ΔΔ",
    "functionals/3-f0": "+ F0 and voicing",
    "functionals/4-energy": "+ energy",
    "functionals/5-all": "all functionals",
    "functionals/6-pca": "all, PCA (95 %)",
    "functionals/7-selection": "300 by mutual information, PCA",
    "svm": "all, PCA, and learnt from whole clips and copies too (other speeds, 8 kHz)",
}
FEATURE_COLUMNS = ("ravdess-8", "emodb", "casia")

INTRODUCTION = """# Results

Made by `make results` from the predictions in `results/`; every figure is recomputed from them by `emovox evaluate
--predictions FILE.csv`. All figures in %, 95 % intervals in brackets, on the path of `predict` unless a column says
otherwise. All are made with detector 1 of speech ([vad.md](vad.md)). How they are measured:
[evaluation.md](evaluation.md). What the shipped models are for: [models.md](models.md).

UAR on speakers that were not in training, except in the last column. *Together*: one training on several corpora, in
six joint folds that leave out speakers of each. `emovox evaluate RUN RUN` compares runs by paired tests over speakers.
"""

OVERVIEW = """![Accuracy against time and number of parameters](pictures/overview.png)

UAR on RAVDESS-8, speaker-independent. Blue: the models above, from joint folds where there are any, against the time
for 3 s on one core, and against the number of parameters. Brown: others, as published ([sources](#what-others-reach)).
Their time on the same core is not known.
"""

COLUMNS = """In the tables by corpus, *adapted* normalises by the statistics of all clips of the test speaker in that
corpus, none of them labelled: another setting, which needs that many recordings of one person. It flatters: the profile
is made of the test clips themselves, and every speaker acts all moods equally often. Expect less from a profile of
other recordings, and a loss where one mood prevails. *Whole clips* and *through 8 kHz* are UAR, of the clip in one
piece and of its tiles as a telephone would deliver them.
"""

CALIBRATION = """## As shipped: seven classes, no mask

A shipped model does not know the corpus of a clip. Its scores are over seven labels, calm counts as neutral, and clips
of boredom are left out. UAR:

{uar}
Expected calibration error (15 bins), each fold with its own temperature, fitted on held-out training speakers.
*Mean*: of the figures by corpus, what a user of one kind of recordings meets. *Together*: of the clips of all training
corpora, with equal weight for each corpus; overconfidence on one and underconfidence on another cancel out. TESS, in
the last column, was not in training: there the error is several times as large.

{ece}"""

REFERENCE = """## The reference network

The network of the reference results, exactly as described, and the published figures beside ours by both protocols.
Figures are accuracy, as published. With a random split, other clips of the same speakers are in training, often the
same sentence with the same emotion.
"""

PUBLISHED = """## What others reach

Speaker-independent figures as published, in %; single figures for CASIA and EMO-DB are UAR or accuracy as the source
gives them, SD is speaker-dependent.
"""

COST = """Graph alone, from the waveform of 3 s to probabilities, processor time of one thread: median of 200, and the
fastest twentieth. A product of two 512 × 512 matrices was timed in turn with it. Compare figures by it, since other
work on the machine slows both.
"""

ABLATION = """## What augmentation brings

RAVDESS-8, speaker-independent, two folds, 600 steps, means over as many seeds as are finished. Test clips as they are,
with noise at 10 dB of kinds that training does not know, and through 8 kHz G.711.
"""

PICTURES = """## What the functionals look like

The whole clips of the joint training, laid out by t-SNE: by emotion, by speaker, by corpus; and the variance that the
principal components keep. Corpora and the speakers of nEMO and TESS are apart, emotions are not. So a random split over
clips flatters a model, and unknown speakers are hard. `emovox train` draws these pictures.

![t-SNE by emotion](pictures/tsne-emotion.png)
![t-SNE by speaker](pictures/tsne-speaker.png)
![t-SNE by corpus](pictures/tsne-corpus.png)
![variance that the principal components keep](pictures/pca-variance.png)
"""

VIEWS = """## Whole clips, and through 8 kHz

*Whole clips* are shown beside the path of `predict`, since both should agree. A whole clip has silence around the
speech, which the tiles leave out, and the functionals describe it (pauses, low percentiles, slopes of the level).
*Through 8 kHz* stands for telephone recordings: the same tiles, resampled to 8 kHz and back. A model that learnt from
neither fails on both, so the recipes learn from such copies of the training clips:

{table}
The remaining difference between whole clips and the path of `predict` is up to 1.6 points on RAVDESS and CASIA. It has
the same reason: a fifth of the training rows of these recipes are whole clips, and in joint training those of nEMO are
not among them.
`accurate` differs on RAVDESS by -1.6 [-3.7, +0.6] in joint folds and by +1.0 [+0.1, +2.1] when it learnt
from RAVDESS alone (paired over speakers): it averages over all frames, and 29 % of a clip of RAVDESS lie outside its
tiles. In the other corpora the tiles are nearly the whole clip (all but 4 % of it in CASIA, 0.4 % in EMO-DB, 0.1 % in
nEMO), and there both views agree within one and a half points.
"""


def document(figures: Figures) -> str:
    """Compose docs/results.md."""
    parts = [INTRODUCTION, overview_table(figures), OVERVIEW, "## What they cost\n", COST, cost_table(figures)]
    parts += ["## Corpus by corpus\n", COLUMNS]
    for corpus, title in SECTIONS.items():
        if figures.of_dataset(corpus):
            parts += [f"### {title}\n", corpus_table(figures, corpus), recall_table(figures, corpus)]
    parts.append(CALIBRATION.format(uar=seven_table(figures, "uar"), ece=seven_table(figures, "ece")))
    parts.append(adaptation.section(figures.folder / "adaptation"))
    parts += [REFERENCE, reference_table(figures), PUBLISHED, published_tables(figures)]
    if runs := read_runs(figures.folder):
        made = ablation_table(runs)
        parts += [ABLATION, table(made.head, made.rows), "Made by `python -m studies.ablation`.\n"]
    parts += [
        "## What each group of functionals brings\n",
        "UAR, speaker-independent. The SVM without PCA works on standardised functionals; penalty and kernel width are "
        "chosen on training speakers in every row.\n",
        feature_table(figures),
        "Made by `python -m studies.feature_groups`; the last row by `emovox train recipes/svm-ravdess.toml`, "
        "`…/svm-emodb.toml`, `…/svm-casia.toml`.\n",
        PICTURES,
        VIEWS.format(table=views_table(figures)),
    ]
    measured = [each for dataset in SECTIONS for key in figures.of_dataset(dataset) if (each := figures.measured(key))]
    parts.append(to_markdown("", caveats(measured)).replace("# \n", "").strip() + "\n")
    return "\n".join(part for part in parts if part)


def feature_table(figures: Figures) -> str:
    """One row a set of functionals, one column a corpus."""
    rows = [["chance", *(percent(1 / n) for n in (8, 7, 6))]]
    for model, title in FEATURES.items():
        rows.append([title, *(interval(figures.measured(figure(model, dataset, "si"))) for dataset in FEATURE_COLUMNS)])
    return table(("functionals", "RAVDESS-8", "EMO-DB", "CASIA"), rows)


def views_table(figures: Figures) -> str:
    """Return the gain of training on copies, on RAVDESS: a row per model, a column per view of the test clips."""
    rows = []
    for model, title in (("functionals/6-pca", "tiles alone"), ("svm", "tiles, whole clips, other speeds, 8 kHz")):
        keys = [figure(model, "ravdess-8", "si", condition) for condition in ("tile", "whole", "narrow")]
        rows.append([title, *(interval(figures.measured(key)) for key in keys)])
    return table(("RAVDESS-8, UAR; learnt from", "path of `predict`", "whole clips", "through 8 kHz"), rows)


def _compared(
    figures: Figures, wanted: Sequence[tuple[str, str, str]]
) -> Iterator[tuple[FigureKey, dict[str, Measured | None]]]:
    """Yield the key and the figures of the shipped models for each wanted row that any of them has."""
    for dataset, protocol, condition in wanted:
        keys = {model: figure(model, dataset, protocol, condition) for model in README_MODELS}
        found = {model: figures.measured(key) for model, key in keys.items()}
        if any(found.values()):
            yield keys[README_MODELS[0]], found


def _first(found: dict[str, Measured | None]) -> Measured:
    return next(each for each in found.values() if each is not None)


def _spent(figures: Figures) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from zip(
        ("parameters", "3 s on one core"), zip(*(costs(figures, model) for model in README_MODELS), strict=True),
        strict=True,
    )  # fmt: skip


def readme_table(figures: Figures) -> str:
    """The shipped models on speakers and on a corpus that were not in training, and what they cost."""
    rows = []
    for key, found in _compared(figures, README_ROWS):
        title = SECTIONS[key.dataset].split(",")[0] + (" (not in training)" if key.protocol == "unheard" else "")
        cells = [interval(each, missing=NOTHING) for each in found.values()]
        rows.append([title, *cells, percent(chance(_first(found).predictions)["uar"])])
    rows += [[title, *values, NOTHING] for title, values in _spent(figures)]
    return table(("corpus", *README_MODELS, "chance"), rows)


def quality_table(figures: Figures) -> str:
    """The figures of the shipped models, one row a corpus and protocol that any of them has, and what they cost."""
    rows = []
    for key, found in _compared(figures, QUALITY_ROWS):
        title = SECTIONS[key.dataset].split(",")[0] + (" (7 classes)" if key.dataset == "ravdess-7" else "")
        cells = [interval(each, missing=NOTHING) for each in found.values()]
        plain = [replace(key, model=model, condition="tile") for model, each in found.items() if each is not None]
        recipes = [Path(figures.command(each)).stem for each in plain]
        first = _first(found)
        rows.append([title, first.protocol, *cells, percent(chance(first.predictions)["uar"]), ", ".join(recipes)])
    rows += [[title, NOTHING, *values, NOTHING, NOTHING] for title, values in _spent(figures)]
    return table(("corpus", "protocol", *README_MODELS, "chance", "recipes/….toml"), rows)
