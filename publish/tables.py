"""The tables of docs/results.md and of the READMEs, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from emovox.evaluation.figures.calibration import joint_error, reliability
from emovox.evaluation.figures.comparison import Measured
from emovox.evaluation.figures.metrics import chance, values
from emovox.schema.figure import PROTOCOLS, SEVEN, FigureKey
from publish import published
from publish.laboratory import CORPORA, Figures, Planned, figure, title_of

NOT_RUN, NOTHING = "not run", "–"
METRICS = ("uar", "accuracy", "weighted_f1", "macro_f1", "ece")
ADAPTED = "adapted (profile: the test clips, all moods alike)"
"""Head of the column of the condition `speaker-norm`: both premises flatter its figures."""

FIGURES_HEAD = (
    *("model", "protocol", "UAR", ADAPTED, "whole clips", "through 8 kHz", "accuracy", "weighted F1"),
    *("macro F1", "ECE", "UAR over folds", "parameters", "3 s, one core", "command"),
)
CALIBRATED = ("ravdess-8", "emodb", "casia", "nemo")
"""Corpora of joint training, of which the seven-class view weighs each alike."""

TRAIN = "`emovox train` …"
DEPENDENT = ("ravdess-7", "sd")
"""The speaker-dependent figure of the overview: corpus and protocol."""

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
        own = [plan for plan in figures.plans if plan.key.model == model]
        for words, protocols in (("together", ("joint",)), ("each corpus alone", ("si", "sd"))):
            plans = [plan for plan in own if plan.key.protocol in protocols]
            if plans:
                rows.append(_overview_row(figures, model, words, plans))
    head = ("model", "corpora", "parameters", "3 s, one core", *(CORPORA[corpus] for corpus in OVERVIEW_CORPORA))
    return table((*head, "RAVDESS-7, speaker-dependent", TRAIN), rows)


def _overview_row(figures: Figures, model: str, words: str, plans: Sequence[Planned]) -> list[str]:
    def cell(dataset: str, *protocols: str) -> str:
        wanted = [figure(model, dataset, protocol) for protocol in protocols]
        found = [key for key in wanted if any(plan.key == key for plan in plans)]
        return interval(figures.measured(found[0])) if found else NOTHING

    cells = [cell(dataset, "joint", "si") for dataset in OVERVIEW_CORPORA]
    shown = [plan for plan in plans if plan.key.dataset in OVERVIEW_CORPORA and plan.key.protocol != "sd"]
    dependent = [plan for plan in plans if plan.key == figure(model, *DEPENDENT)]
    recipes = _recipes([plan for plan in plans if plan in (*shown, *dependent)])
    return [model, words, *costs(figures, model), *cells, cell(*DEPENDENT), recipes]


def _recipes(plans: Sequence[Planned]) -> str:
    """Return the arguments of `emovox train`, each once."""
    return ", ".join(dict.fromkeys(f"`{plan.command.removeprefix('emovox train ')}`" for plan in plans))


def _chance_row(figures: Figures) -> list[str]:
    cells = []
    for dataset in (*OVERVIEW_CORPORA, "ravdess-7"):
        found = next((made for key in figures.of_dataset(dataset) if (made := figures.predictions(key))), None)
        cells.append(NOTHING if found is None else percent(chance(found)["uar"]))
    return ["chance", *[NOTHING] * 3, *cells, NOTHING]


def corpus_table(figures: Figures, dataset: str) -> str:
    """All figures on a corpus: chance, then by protocol one row a model, those too that were not run."""
    keys = figures.of_dataset(dataset)
    known = next((made for key in keys if (made := figures.predictions(key))), None)
    rows = []
    if known is not None:
        guess = {name: percent(value) for name, value in chance(known).items()}
        rest = [guess[name] for name in METRICS[1:]]
        rows.append(["chance", NOTHING, *[guess["uar"]] * 4, *rest, *[NOTHING] * 4])
    rows += [_corpus_row(figures, key) for key in keys]
    return table(FIGURES_HEAD, rows)


def _corpus_row(figures: Figures, key: FigureKey) -> list[str]:
    each = figures.measured(key)
    command = figures.command(key)
    tail = [*costs(figures, key.model), f"`{command}`" if command else NOTHING]
    if each is None:
        return [key.model, PROTOCOLS[key.protocol], NOT_RUN, *[NOTHING] * 8, *tail]
    changed = [figures.predictions(replace(key, condition=name)) for name in ("whole", "narrow")]
    plain = [NOTHING if made is None else percent(values(made)["uar"]) for made in changed]
    adapted = interval(figures.measured(replace(key, condition="speaker-norm")), missing=NOTHING)
    rest = [percent(each.summary.estimates[name].value) for name in METRICS[2:]]
    uar = each.summary.uar
    folds = NOTHING if uar.fold_mean is None else f"{percent(uar.fold_mean)} ± {percent(uar.fold_sd or 0)}"
    return [
        *(key.model, each.protocol, interval(each), adapted, *plain, interval(each, "accuracy"), *rest, folds),
        *tail,
    ]


def recall_table(figures: Figures, dataset: str) -> str:
    """Recall of each emotion in percent, one row a model and protocol; "" when nothing was run."""
    found = [(key.model, made) for key in figures.of_dataset(dataset) if (made := figures.measured(key))]
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
        known = {plan.key for plan in figures.plans}
        keys = [figure(model, dataset, "joint") for dataset in CALIBRATED]
        if not known.intersection(keys):
            continue
        cells, shares, parts = [], [], []
        for key in (*keys, figure(model, "tess", "unheard")):
            each = figures.measured(replace(key, labels=SEVEN))
            cells.append(interval(each, metric, missing=NOT_RUN if key in known else NOTHING))
            if each is not None and key.protocol == "joint":
                shares.append(each.summary.estimates[metric].value)
                parts.append(reliability(each.predictions.scores, each.predictions.label_index))
        mean = f"{percent(float(np.mean(shares)))} ({len(shares)} corpora)" if shares else NOT_RUN
        means = [f"**{mean}**", percent(joint_error(parts)) if parts else NOT_RUN] if metric == "ece" else []
        rows.append([model, *cells[:-1], *means, cells[-1], *costs(figures, model)])
    corpora = [title_of(FigureKey("", dataset.split("-")[0], SEVEN, "joint")) for dataset in CALIBRATED]
    mean_head = ["mean of these", "together, weighed alike"] if metric == "ece" else []
    return table(("model", *corpora, *mean_head, "TESS, not in training", "parameters", "3 s, one core"), rows)


def reference_table(figures: Figures) -> str:
    """The figures that are claimed of the reference networks, beside that network trained here, and ours."""
    rows = [[*claim, *[NOTHING] * 4] for claim in published.REFERENCE]
    wanted = (("ravdess-7", "sd"), ("casia", "sd"), ("ravdess-8", "si"))
    for model in ("svm", "reference-hybrid", "mobile", "hybrid", "accurate"):
        known = {plan.key: plan for plan in figures.plans}
        keys = [figure(model, *each) for each in wanted]
        cells = [interval(figures.measured(key), "accuracy") if key in known else NOTHING for key in keys]
        recipes = _recipes([known[key] for key in keys if key in known])
        rows.append([model, *costs(figures, model), NOTHING, *cells, recipes])
    head = ("network", "parameters", "3 s, one core", "accuracy, corpus and split unstated")
    ours = ("RAVDESS-7, speaker-dependent", "CASIA, speaker-dependent", "RAVDESS-8, speaker-independent")
    return table((*head, *ours, TRAIN), rows)


def published_tables(figures: Figures) -> str:
    """Return the published figures of others, and `accurate` in the same columns."""
    cells = []
    for dataset, metric in (("ravdess-8", "uar"), ("ravdess-8", "accuracy"), ("casia", "uar"), ("emodb", "uar")):
        cells.append(interval(figures.measured(figure("accurate", dataset, "joint")), metric))
    ours = ("**accurate** (this project)", costs(figures, "accurate")[0], *cells, "joint folds", NOTHING)
    keys = [figure("accurate", dataset, "sd") for dataset in ("ravdess-7", "casia")]
    dependent = [interval(figures.measured(key), "accuracy") for key in keys]
    name, rest = f"{ours[0]}, RAVDESS-7", [NOTHING] * 2
    parts = [
        table(published.INDEPENDENT_HEAD, [*published.INDEPENDENT, ours]),
        "Speaker-dependent, random splits over utterances: inflated, to be compared with each other only.\n",
        table(published.DEPENDENT_HEAD, [*published.DEPENDENT, (name, ours[1], *dependent, *rest)]),
        f"{published.ZERO_SHOT}\n",
    ]
    return "\n".join(parts)


def cost_table(figures: Figures) -> str:
    """Return size and time of each model, with a note on the measurement."""
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
