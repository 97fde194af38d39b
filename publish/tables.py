"""The tables of docs/results.md and of the READMEs, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emovox.evaluation.figures.calibration import joint_error, reliability
from emovox.evaluation.figures.comparison import PROTOCOLS, Measured
from emovox.evaluation.figures.metrics import chance, values
from publish.laboratory import CORPORA, Figures, Planned, corpus_of, protocol_of
from publish.published import (
    DEPENDENT,
    DEPENDENT_HEAD,
    INDEPENDENT,
    INDEPENDENT_HEAD,
    REFERENCE,
    ZERO_SHOT,
)

NOT_RUN, NOTHING = "not run", "–"
METRICS = ("uar", "accuracy", "weighted_f1", "macro_f1", "ece")
FIGURES_HEAD = (
    *("model", "protocol", "UAR", "adapted to the speaker", "whole clips", "through 8 kHz", "accuracy", "weighted F1"),
    *("macro F1", "ECE", "UAR over folds", "parameters", "3 s, one core", "command"),
)
CALIBRATED = ("ravdess-7-joint", "emodb-joint", "casia-joint", "nemo-joint")
"""Figures of corpora that joint training learns from, of which the seven-class view weighs each alike."""

UNSEEN = "tess-zero-shot"
TRAIN = "`emovox train` …"
DEPENDENT_FIGURE = "ravdess-7-sd"
OVERVIEW_CORPORA = ("ravdess-8", "casia", "emodb", "nemo")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Render rows of text."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def percent(share: float) -> str:
    """A share as percent with one decimal; a dash when there is none."""
    return NOTHING if np.isnan(share) else f"{100 * share:.1f}"


def interval(each: Measured | None, metric: str = "uar", *, missing: str = NOT_RUN) -> str:
    """A figure with its interval."""
    if each is None:
        return missing
    found = each.summary.estimates[metric]
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def costs(figures: Figures, model: str) -> tuple[str, str]:
    """Number of parameters, and milliseconds for 3 s on one core."""
    cost = figures.cost(model)
    return (NOT_RUN, NOT_RUN) if cost is None else (f"{cost.parameters:,}", f"{cost.milliseconds:.1f} ms")


def overview_table(figures: Figures) -> str:
    """One row a model and way of training: UAR on each corpus, what it costs, and the commands."""
    rows = [_chance_row(figures)]
    for model in figures.models:
        own = [plan for plan in figures.plans if plan.model == model]
        for words, protocols in (("together", ("joint",)), ("each corpus alone", ("si", "sd"))):
            plans = [plan for plan in own if protocol_of(plan.figure) in protocols]
            if plans:
                rows.append(_overview_row(figures, model, words, plans))
    head = ("model", "corpora", "parameters", "3 s, one core", *(CORPORA[corpus] for corpus in OVERVIEW_CORPORA))
    return table((*head, "RAVDESS-7, speaker-dependent", TRAIN), rows)


def _overview_row(figures: Figures, model: str, words: str, plans: Sequence[Planned]) -> list[str]:
    def cell(*names: str) -> str:
        found = [name for name in names if any(plan.figure == name for plan in plans)]
        return interval(figures.measured(model, found[0])) if found else NOTHING

    cells = [cell(f"{corpus}-joint", f"{corpus}-si") for corpus in OVERVIEW_CORPORA]
    shown = [plan for plan in plans if corpus_of(plan.figure) in OVERVIEW_CORPORA or plan.figure == DEPENDENT_FIGURE]
    alone = [plan for plan in shown if not plan.figure.endswith("-sd") or plan.figure == DEPENDENT_FIGURE]
    return [model, words, *costs(figures, model), *cells, cell(DEPENDENT_FIGURE), _recipes(alone)]


def _recipes(plans: Sequence[Planned]) -> str:
    """What is typed after `emovox train`, once for each."""
    return ", ".join(dict.fromkeys(f"`{plan.command.removeprefix('emovox train ')}`" for plan in plans))


def _chance_row(figures: Figures) -> list[str]:
    cells = []
    for corpus in (*OVERVIEW_CORPORA, "ravdess-7"):
        found = next(
            (figures.predictions(*key) for key in figures.of_corpus(corpus) if figures.predictions(*key)), None
        )
        cells.append(NOTHING if found is None else percent(chance(found)["uar"]))
    return ["chance", *[NOTHING] * 3, *cells, NOTHING]


def corpus_table(figures: Figures, corpus: str) -> str:
    """All figures on a corpus: chance, then by protocol one row a model, those too that were not run."""
    keys = figures.of_corpus(corpus)
    known = next((figures.predictions(*key) for key in keys if figures.predictions(*key)), None)
    rows = []
    if known is not None:
        guess = {name: percent(value) for name, value in chance(known).items()}
        rest = [guess[name] for name in METRICS[1:]]
        rows.append(["chance", NOTHING, *[guess["uar"]] * 4, *rest, *[NOTHING] * 4])
    rows += [_corpus_row(figures, model, figure) for model, figure in keys]
    return table(FIGURES_HEAD, rows)


def _corpus_row(figures: Figures, model: str, figure: str) -> list[str]:
    each = figures.measured(model, figure)
    command = figures.command(model, figure)
    tail = [*costs(figures, model), f"`{command}`" if command else NOTHING]
    if each is None:
        return [model, PROTOCOLS[protocol_of(figure)], NOT_RUN, *[NOTHING] * 8, *tail]
    views = [figures.predictions(model, f"{figure}-{view}") for view in ("whole", "narrow")]
    plain = [NOTHING if made is None else percent(values(made)["uar"]) for made in views]
    adapted = interval(figures.measured(model, f"{figure}-speaker-norm"), missing=NOTHING)
    rest = [percent(each.summary.estimates[name].value) for name in METRICS[2:]]
    uar = each.summary.uar
    folds = NOTHING if uar.fold_mean is None else f"{percent(uar.fold_mean)} ± {percent(uar.fold_sd or 0)}"
    return [
        *(model, each.protocol, interval(each), adapted, *plain, interval(each, "accuracy"), *rest, folds),
        *tail,
    ]


def recall_table(figures: Figures, corpus: str) -> str:
    """Recall of each emotion in percent, one row a model and protocol; "" when nothing was run."""
    found = [(model, made) for model, name in figures.of_corpus(corpus) if (made := figures.measured(model, name))]
    classes = list(dict.fromkeys(name for _, each in found for name in each.summary.recalls))
    rows = [
        [model, each.protocol, *(percent(each.summary.recalls.get(name, np.nan)) for name in classes)]
        for model, each in found
    ]
    return table(("recall", "protocol", *classes), rows) if rows else ""


def seven_table(figures: Figures, metric: str) -> str:
    """A figure of the shipped view, seven classes and no mask, on each corpus; ECE also together and their mean."""
    rows = []
    for model in figures.models:
        known = {plan.figure for plan in figures.plans if plan.model == model}
        learnt = [name.replace("ravdess-7", "ravdess-8") for name in CALIBRATED]
        if not known.intersection(learnt):
            continue
        cells, shares, parts = [], [], []
        for name, plain in zip((*CALIBRATED, UNSEEN), (*learnt, UNSEEN), strict=True):
            each = figures.measured(model, f"{name}-seven")
            cells.append(interval(each, metric, missing=NOT_RUN if plain in known else NOTHING))
            if each is not None and name != UNSEEN:
                shares.append(each.summary.estimates[metric].value)
                parts.append(reliability(each.predictions.scores, each.predictions.label_index))
        mean = f"{percent(float(np.mean(shares)))} ({len(shares)} corpora)" if shares else NOT_RUN
        means = [f"**{percent(joint_error(parts))}**" if parts else NOT_RUN, mean] if metric == "ece" else []
        rows.append([model, *cells[:-1], *means, cells[-1], *costs(figures, model)])
    corpora = [CORPORA[corpus_of(name)] for name in CALIBRATED]
    mean_head = ["together, weighed alike", "mean of these"] if metric == "ece" else []
    return table(("model", *corpora, *mean_head, "TESS, zero-shot", "parameters", "3 s, one core"), rows)


def reference_table(figures: Figures) -> str:
    """The figures that are claimed of the reference networks, beside that network trained here, and ours."""
    rows = [[*claim, *[NOTHING] * 4] for claim in REFERENCE]
    wanted = ("ravdess-7-sd", "casia-sd", "ravdess-8-si")
    for model in ("svm", "reference-hybrid", "mobile", "hybrid", "accurate"):
        known = {plan.figure: plan for plan in figures.plans if plan.model == model}
        cells = [interval(figures.measured(model, name), "accuracy") if name in known else NOTHING for name in wanted]
        recipes = _recipes([known[name] for name in wanted if name in known])
        rows.append([model, *costs(figures, model), NOTHING, *cells, recipes])
    head = ("network", "parameters", "3 s, one core", "accuracy, corpus and split unstated")
    ours = ("RAVDESS-7, speaker-dependent", "CASIA, speaker-dependent", "RAVDESS-8, speaker-independent")
    return table((*head, *ours, TRAIN), rows)


def published_tables(figures: Figures) -> str:
    """What others reach, and `accurate` in the same columns."""
    cells = []
    for corpus, metric in (("ravdess-8", "uar"), ("ravdess-8", "accuracy"), ("casia", "uar"), ("emodb", "uar")):
        cells.append(interval(figures.measured("accurate", f"{corpus}-joint"), metric))
    ours = ("**accurate** (this project)", costs(figures, "accurate")[0], *cells, "joint folds")
    dependent = [interval(figures.measured("accurate", name), "accuracy") for name in ("ravdess-7-sd", "casia-sd")]
    parts = [
        table(INDEPENDENT_HEAD, [*INDEPENDENT, ours]),
        "Speaker-dependent, random splits over utterances: inflated, to be compared with each other only.\n",
        table(DEPENDENT_HEAD, [*DEPENDENT, (f"{ours[0]}, RAVDESS-7", ours[1], *dependent, NOTHING)]),
        f"{ZERO_SHOT}\n",
    ]
    return "\n".join(parts)


def cost_table(figures: Figures) -> str:
    """What each model costs, and how that was measured."""
    rows = []
    for model in figures.models:
        cost = figures.cost(model)
        if cost is None:
            rows.append([model, NOT_RUN, *[NOTHING] * 5, f"`python -m publish --cost {model}`"])
            continue
        times = [f"{cost.milliseconds:.2f} ms", f"{cost.fastest:.2f} ms", f"{cost.matrix:.2f} ms"]
        share = NOTHING if cost.front_end is None else f"{100 * cost.front_end:.0f} %"
        size = f"{cost.size / 1e6:.1f} MB"
        rows.append([model, f"{cost.parameters:,}", size, *times, share, f"`{cost.command}`"])
    head = ("model", "parameters", "file", "3 s, one core", "fastest twentieth", "matrix product beside it")
    return table((*head, "of it front end", "command"), rows)
