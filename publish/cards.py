"""Write docs/models.md: each shipped model for people, from its card and its out-of-fold predictions.

    python -m publish.cards

`make results` does it too. A model that is not shipped has no section.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from emovox.corpora.provenance import PUBLISHED
from emovox.evaluation.figures.calibration import joint_error, kept, reliability
from emovox.evaluation.figures.metrics import chance, top_confusions, values
from emovox.evaluation.figures.mistakes import confident_mistakes
from emovox.evaluation.figures.predictions import join
from emovox.runtime.registry import graph_size, heads, read_card, resolve, shipped
from emovox.schema.card import ModelCard
from emovox.schema.figure import SEVEN, FigureKey
from publish.laboratory import CORPORA, ROOT, Figures, in_order, title_of
from publish.tables import ADAPTED, NOTHING, costs, interval, percent, table

MISTAKES = 3
CONFUSIONS = 5

PURPOSE = {
    "svm": "The baseline that others must beat, and a model without a neural network: functionals of pitch, level, "
    "cepstrum and spectrum, which can be looked at one by one. Take it to compare, or where only classical methods are "
    "allowed.",
    "mobile": "The smallest and fastest: for telephones, browsers, small boards, and for many streams on one core. It "
    "learnt from the labels and from the outputs of `accurate` for the same clips.",
    "hybrid": "Convolutions beside LSTMs over cepstra, pitch and level: between `mobile` and `accurate` in size and "
    "time. It learnt from the labels and from the outputs of `accurate` for the same clips.",
    "accurate": "The best answers on the corpora that it learnt from, in a file of under 24 MB: the first blocks of "
    "Whisper's encoder with a small head. On corpora that it never learnt from (Italian, Urdu) it is not detectably "
    "better than `hybrid`.",
    "permissive": "A head for `accurate`, taken by `--model accurate --head permissive` or `--model permissive`: "
    "weights that a company may ask its lawyers about. It learnt from EMO-DB alone: ten actors, German. Its encoder is "
    "Whisper's (MIT), and copies were changed by computation: no noise recording, no measured room. It uses no other "
    "weights of `accurate.onnx`; `emovox train recipes/permissive.toml` makes one file without them. It has no "
    "surprise. Expect less than from `accurate` in other languages.",
}
"""Purpose of each model; others show the description of their card."""

INTRODUCTION = """# Models

The models that come with emovox. `emovox models NAME` shows a card for programs. This page is made by `make results`
from the cards and the out-of-fold predictions in `results/`. Figures are those of cross-validation: the model of a fold
was not trained on its test speakers. They are on the path of `predict`. The shipped model learnt from all speakers of
its corpora. All figures with intervals, and other models: [results.md](results.md). How they are measured:
[evaluation.md](evaluation.md). What a score may be used for: [Responsible use](../RESPONSIBLE_USE.md).

## Limits of all models

- Acted speech in quiet rooms, few speakers: expect less on spontaneous speech, other languages, ages and microphones.
  The row of TESS shows how a corpus fares that was never learnt from.
- A score says which acted emotion a voice sounds like, not what a person feels. No decision about a person may rest on
  it.
- Mixed and weak emotions have no label. Other sample rates are resampled, longer recordings are cut into tiles.

## How to read a card

*Recall* and what follows are as shipped: all labels of the model, no mask. *What it takes for what* has the share of
clips of the first emotion that get the second label, and the mistakes with the highest confidence on speakers that were
not in training. *Calibration* has the expected calibration error in %, the share of clips with a label at the
threshold, and the share of these that is right. Over all clips together, opposite errors of corpora cancel out.

## The models
"""

LIMITS = """- {labels} labels, one for about {window:g} s of speech; no label where no score reaches {threshold:.2f}.
- Input: {shortest:g} to {longest:g} s at {rate} Hz.
{adaptable}"""

ADAPTABLE = {
    True: "- Adaptable: a speaker's profile puts that person's statistics in place of the training set's.",
    False: "- Not adaptable to a speaker.",
}

TELLS_SPEECH = (
    "- Tells speech: {kept:.1f} % of the tiles of new speakers are kept, and new kinds of other sounds get no label "
    "for {refused:.1f} % of the time."
)


def main() -> None:
    """Write the page."""
    (ROOT / "docs" / "models.md").write_text(document(Figures()), encoding="utf-8")


def document(figures: Figures, folder: Path | None = None) -> str:
    """Compose docs/models.md of the models in a folder, the package's own unless given."""
    paths = shipped(folder)
    cards = {name: read_card(paths[name]) for name in in_order(paths)}
    default = read_card(resolve(folder=folder)).name if cards else ""
    shared = _shared_corpora(cards.values())
    rows = [
        _overview_row(card, paths[name], figures, default=name == default, shared=shared)
        for name, card in cards.items()
    ]
    mean = f"mean UAR on {', '.join(CORPORA.get(name, name) for name in shared)}"
    head = ("model", "for what", "labels", "parameters", "file", "3 s, one core", mean)
    parts = [INTRODUCTION, table(head, rows)]
    for card in (*cards.values(), *(read_card(path) for path in heads(folder).values())):
        parts += section(card, figures)
    return "\n".join(parts)


def section(card: ModelCard, figures: Figures) -> list[str]:
    """Everything about one model."""
    keys = _figures(card, figures)
    unmasked = [key for key in (replace(key, labels=SEVEN) for key in keys) if figures.measured(key)]
    return [
        f"## {card.name}\n",
        f"{PURPOSE.get(card.name, card.description)}\n",
        f"Version {card.version}: {card.description}. Made by {_made_by(card, figures)}.\n",
        f"### {card.name}: how good\n",
        _figures_table(keys, figures),
        *_by_sex(keys, figures),
        f"### {card.name}: recall of each emotion\n\nIn %:\n" if unmasked else "",
        _recalls(unmasked, figures) if unmasked else "",
        *(_mistakes(card.name, unmasked, figures) if unmasked else []),
        f"### {card.name}: calibration\n",
        _calibration(card, keys, unmasked, figures),
        f"### {card.name}: limits\n",
        LIMITS.format(
            labels=len(card.labels), window=card.window, threshold=card.threshold, shortest=card.shortest,
            longest=card.longest, rate=card.sample_rate, adaptable=ADAPTABLE[card.adaptable],
        ),
        *_tells_speech(card),
        "",
        f"### {card.name}: licences\n",
        f"Weights: {card.licence}.\n",
        table(
            ("learnt from", "speakers", "clips", "licence"),
            [(CORPORA.get(c.name, c.name), str(c.speakers), str(c.clips), c.licence) for c in card.corpora],
        ),
        f"Risk: {card.licence_risk}.\n",
    ]  # fmt: skip


def _figures(card: ModelCard, figures: Figures) -> list[FigureKey]:
    """List the figures of the training that is shipped, with what it was scored on: joint, or of a head `si`."""
    found = [key for dataset in CORPORA for key in figures.of_dataset(dataset) if key.model == card.name]
    shown = ("joint" if card.encoder is None else "si", "unheard", "zero-shot")
    return [key for key in found if key.protocol in shown and figures.predictions(key)]


def _made_by(card: ModelCard, figures: Figures) -> str:
    own = [plan.command for plan in figures.plans if plan.run == card.recipe]
    return f"`{own[0]}`" if own else f"the recipe {card.recipe}"


def _shared_corpora(cards: Iterable[ModelCard]) -> list[str]:
    """Return the corpora on which all models have a figure of joint folds: only these compare models by their mean."""
    learnt = [[figure.corpus for figure in card.figures if figure.protocol == "joint"] for card in cards]
    return [name for name in learnt[0] if all(name in other for other in learnt)] if learnt else []


def _overview_row(card: ModelCard, path: Path, figures: Figures, *, default: bool, shared: Sequence[str]) -> list[str]:
    found = {figure.corpus: figure.value for figure in card.figures if figure.protocol == "joint"}
    means = [found[name] for name in shared]
    return [
        f"[{card.name}](#{card.name}){' (default)' if default else ''}",
        card.description,
        str(len(card.labels)),
        f"{card.parameters:,}",
        f"{graph_size(path) / 1e6:.1f} MB",
        costs(figures, card.name)[1],
        f"{np.mean(means):.1f}" if means else NOTHING,
    ]


def _figures_table(keys: Sequence[FigureKey], figures: Figures) -> str:
    rows = []
    for key in keys:
        each = figures.measured(key)
        assert each is not None
        views = [figures.predictions(replace(key, condition=name)) for name in ("whole", "narrow")]
        adapted = figures.measured(replace(key, condition="speaker-norm"))
        rows.append(
            [
                title_of(key), each.protocol, interval(each), percent(chance(each.predictions)["uar"]),
                interval(each, "accuracy"), interval(adapted, missing=NOTHING),
                *(NOTHING if made is None else percent(values(made)["uar"]) for made in views),
                interval(figures.measured(replace(key, labels=SEVEN)), missing=NOTHING),
            ]
        )  # fmt: skip
    head = ("corpus", "protocol", "UAR", "chance", "accuracy", ADAPTED, "whole clips", "through 8 kHz")
    return table((*head, "as shipped: all its labels, no mask"), rows)


def _tells_speech(card: ModelCard) -> list[str]:
    """Return a line on a model with the output `speech`; none without it."""
    found = card.speech
    return [] if found is None else [TELLS_SPEECH.format(kept=100 * found.kept, refused=100 * found.refused)]


def _by_sex(keys: Sequence[FigureKey], figures: Figures) -> list[str]:
    """Return the UAR of female and male voices on each corpus of which the sexes are known."""
    rows = []
    for key in keys:
        made = figures.predictions(key)
        sexes = PUBLISHED[key.corpus].layout.speakers
        if made is None or key.protocol not in ("joint", "si") or not sexes:
            continue
        sex = np.array([sexes.get(speaker) for speaker in made.speaker.tolist()])
        if {"female", "male"} <= set(sex.tolist()):
            parts = (values(made.select(sex == name))["uar"] for name in ("female", "male"))
            rows.append([title_of(key), *map(percent, parts)])
    if not rows:
        return []
    return ["Female and male voices, UAR:\n", table(("corpus", "female", "male"), rows)]


def _recalls(keys: Sequence[FigureKey], figures: Figures) -> str:
    found = {key: each for key in keys if (each := figures.measured(key)) is not None}
    classes = list(dict.fromkeys(label for each in found.values() for label in each.summary.recalls))
    rows = [
        [title_of(key), *(percent(each.summary.recalls.get(label, np.nan)) for label in classes)]
        for key, each in found.items()
    ]
    return table(("corpus", *classes), rows)


def _mistakes(model: str, keys: Sequence[FigureKey], figures: Figures) -> list[str]:
    """The strongest confusions of each corpus, and the mistakes that the model is surest of where it has learnt."""
    found = {key: part for key in keys if (part := figures.predictions(key)) is not None}
    learnt = [part for key, part in found.items() if key.protocol in ("joint", "si")] or list(found.values())
    pairs = [
        [
            title_of(key),
            ", ".join(
                f"{pair.label} → {pair.predicted} ({percent(pair.share)} %)"
                for pair in top_confusions(part, CONFUSIONS)
            ),
        ]
        for key, part in found.items()
    ]
    clips = [
        [
            f"{each.corpus} `{each.utterance}`", each.label, f"{each.predicted} ({each.confidence:.2f})",
            ", ".join(f"{name} {score:.2f}" for name, score in sorted(each.scores.items(), key=lambda i: -i[1])[1:3]),
        ]
        for each in confident_mistakes(join(learnt), MISTAKES)
    ]  # fmt: skip
    return [
        f"### {model}: what it takes for what\n",
        table(("corpus", "strongest confusions"), pairs),
        table(("clip", "is", "taken for", "next scores"), clips),
    ]


def _calibration(card: ModelCard, keys: Sequence[FigureKey], unmasked: Sequence[FigureKey], figures: Figures) -> str:
    found = {key: each for key in unmasked or keys if (each := figures.measured(key)) is not None}
    rows = []
    for key, each in found.items():
        at = kept(each.predictions, card.threshold)
        shares = (at.share, at.accuracy, each.summary.accuracy.value)
        rows.append([title_of(key), interval(each, "ece"), *map(percent, shares)])
    learnt = [each for key, each in found.items() if key.protocol in ("joint", "si")]
    parts = [reliability(each.predictions.scores, each.predictions.label_index) for each in learnt]
    mean = float(np.mean([each.summary.estimates["ece"].value for each in learnt])) if learnt else 0.0
    unheard = [
        f"{percent(each.summary.estimates['ece'].value)} on {title_of(key)}, which it did not learn from; "
        for key, each in found.items()
        if key.protocol == "unheard"
    ]
    whole = f"mean of its {len(learnt)} corpora {percent(mean)}; {''.join(unheard)}"
    pooled = f"over all clips together {percent(joint_error(parts))}; "
    pooled = pooled if len(parts) > 1 else ""
    return (
        f"Expected calibration error in %: {whole + pooled if learnt else ''}"
        f"temperature {card.temperature:.2f}, threshold {card.threshold:.2f}.\n\n"
        + table(("corpus", "ECE", "labelled", "of these right", "without threshold"), rows)
    )


if __name__ == "__main__":
    main()
