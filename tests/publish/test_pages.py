"""The pages that `make results` writes, from generated predictions."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.corpora.registry import CORPORA
from emovox.evaluation.figures import metrics
from emovox.evaluation.figures.calibration import joint_error, reliability
from emovox.evaluation.figures.files import IDENTITY, write_figure, write_predictions
from emovox.evaluation.figures.predictions import Predictions
from emovox.runtime.registry import read_card, resolve
from emovox.schema.card import ModelCard
from emovox.schema.figure import FigureKey
from emovox.schema.labels import EMOTIONS
from emovox.testing import change_card
from emovox.training.recipe import Data
from publish import __main__ as publishing
from publish import cards, laboratory, results, tables
from publish.laboratory import figure
from publish.published import DEPENDENT, DEPENDENT_HEAD, INDEPENDENT, INDEPENDENT_HEAD

CLASSES = (*EMOTIONS, "calm")
FIGURES = (("ravdess-8", "joint"), ("emodb", "joint"), ("tess", "unheard"))
COST = {
    "parameters": 1234, "size": 5_000_000, "milliseconds": 4.2, "fastest": 4.0, "matrix": 2.5, "front_end": 0.5,
    "machine": "none", "command": "python -m publish --cost svm",
}  # fmt: skip


@pytest.fixture
def figures(tmp_path: Path, generated: Callable[..., Predictions]) -> Any:
    """The baseline on three corpora in all views, and a network that is planned and was not run."""
    for dataset, protocol in FIGURES:
        key = figure("svm", dataset, protocol)
        classes = CLASSES if key.corpus == "ravdess" else EMOTIONS
        for number, condition in enumerate(("tile", "whole", "narrow", "speaker-norm")):
            made = generated(160, classes=classes, corpus=key.corpus, skill=1 + number)
            write_figure(made, replace(key, condition=condition), tmp_path)
        seven = generated(160, classes=EMOTIONS, corpus=key.corpus, skill=2, seed=3)
        write_figure(seven, replace(key, labels="seven"), tmp_path)
    (tmp_path / "svm" / "cost.json").write_text(json.dumps(COST), encoding="utf-8")
    plans = [
        laboratory.Planned(figure(model, *each), f"emovox train recipes/{model}.toml", model)
        for model in ("svm", "accurate")
        for each in FIGURES
    ]
    return laboratory.Figures(tmp_path, plans)


def row_of(text: str, *beginnings: str) -> list[str]:
    """The cells of the one row that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith("| " + " | ".join(beginnings) + " |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_recipe_is_a_row() -> None:
    plans = laboratory.planned()
    assert {"svm", "mobile", "hybrid", "accurate", "reference-hybrid"} <= {plan.key.model for plan in plans}
    assert (figure("svm", "ravdess-8", "si"), "emovox train recipes/svm-ravdess.toml", "svm-ravdess") in plans
    assert (figure("svm", "tess", "unheard"), "emovox train recipes/svm.toml", "svm") in plans
    assert not {plan.run for plan in plans} & {"own-svm", "adapt-language"}  # they are for a user's recordings
    keys = [plan.key for plan in plans]
    assert len(set(keys)) == len(keys), "two recipes give one figure: each needs a model of its own"
    for plan in plans:
        assert plan.key.dataset in laboratory.CORPORA


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (
            Data(corpora=("ravdess", "casia", "tess"), protocol="joint"),
            ["ravdess_ravdess-8_joint_tile", "casia_own_joint_tile", "tess_own_unheard_tile"],
        ),
        (Data(corpora=("ravdess",), protocol="sd", view="ravdess-7"), ["ravdess_ravdess-7_sd_tile"]),
        (Data(corpora=("ravdess", "emodb"), protocol="zero-shot", target="emodb"), ["emodb_own_zero-shot_tile"]),
        (Data(corpora=("own.jsonl",), protocol="si"), []),
    ],
)
def test_figures_of_a_recipe(data: Data, names: list[str]) -> None:
    assert [key.stem for key in laboratory.figures_of("svm", data)] == names


def test_a_row_holds_all_views_and_costs(figures: Any) -> None:
    text = tables.corpus_table(figures, "ravdess-8")
    head = dict(zip(tables.FIGURES_HEAD, row_of(text, "svm"), strict=True))
    for column, condition in (("UAR", "tile"), ("whole clips", "whole"), ("through 8 kHz", "narrow")):
        made = figures.predictions(figure("svm", "ravdess-8", "joint", condition))
        assert head[column].split(" ")[0] == f"{100 * metrics.uar(made.label, made.predicted):.1f}"
    assert re.fullmatch(r"[\d.]+ \[[\d.]+, [\d.]+\]", head[tables.ADAPTED])
    assert (head["parameters"], head["3 s, one core"]) == ("1,234", "4.2 ms")
    assert row_of(text, "chance")[2] == "12.5"


def test_what_was_not_run_says_how(figures: Any) -> None:
    assert row_of(tables.corpus_table(figures, "emodb"), "accurate")[2] == "not run"
    assert row_of(tables.corpus_table(figures, "emodb"), "accurate")[-1] == "`emovox train recipes/accurate.toml`"
    overview = tables.overview_table(figures)
    assert row_of(overview, "accurate", "together")[2:8] == [*["not run"] * 3, "–", "not run", "–"]
    assert row_of(tables.cost_table(figures), "accurate")[-1] == "`python -m publish --cost accurate`"


def test_every_published_figure_has_a_source() -> None:
    for head, rows in ((INDEPENDENT_HEAD, INDEPENDENT), (DEPENDENT_HEAD, DEPENDENT)):
        for row in rows:
            assert len(row) == len(head)
            assert re.fullmatch(r"\[.+\]\(https://(doi\.org|arxiv\.org|github\.com)/\S+\)", row[-1]), row[0]


def test_calibration_weighs_the_learnt_corpora_alike(figures: Any) -> None:
    cells = row_of(tables.seven_table(figures, "ece"), "svm")
    learnt = [figures.measured(FigureKey("svm", name, "seven", "joint")) for name in ("ravdess", "emodb")]
    mean = np.mean([each.summary.estimates["ece"].value for each in learnt])
    parts = [reliability(each.predictions.scores, each.predictions.label_index) for each in learnt]
    assert cells[5:7] == [f"**{100 * mean:.1f} (2 corpora)**", f"{100 * joint_error(parts):.1f}"]
    assert cells[3] == "–", "CASIA is not planned"
    assert row_of(tables.seven_table(figures, "uar"), "accurate")[1] == "not run"


def test_the_whole_page_is_composed(figures: Any) -> None:
    page = results.document(figures)
    for part in ("82.3", "## The reference network", "## What others reach", "## What they cost", "EMO-DB, 7 classes"):
        assert part in page, part
    for line in page.splitlines():
        if line.startswith("|"):
            assert line.count("|") > 2, line
    assert "What augmentation brings" not in page
    assert "Speaker-independent is not text-independent" in page


def test_finished_runs_are_collected(tmp_path: Path, generated: Callable[..., Predictions]) -> None:
    write_predictions(generated(10), tmp_path / "runs" / "mine" / "predictions" / "casia_own_si_tile.csv")
    plans = [
        laboratory.Planned(figure("accurate", "casia", "si"), "", "mine"),
        laboratory.Planned(figure("svm", "casia", "si"), "", "absent"),
    ]
    publishing.collect(plans, tmp_path / "runs", tmp_path / "results")
    found = {path.relative_to(tmp_path / "results").as_posix() for path in (tmp_path / "results").rglob("*.csv")}
    assert found == {"accurate/casia_own_si_tile.csv", "identity/casia_own_si.csv"}


def test_blocks_are_replaced_where_a_page_has_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- models:begin -->\nold\n<!-- models:end -->\nz\n", encoding="utf-8")
    publishing.replace_block(page, "models", "new\n")
    publishing.replace_block(page, "results", "not wanted\n")
    assert page.read_text() == "a\n<!-- models:begin -->\nnew\n<!-- models:end -->\nz\n"


def test_the_card_of_a_model_for_people(figures: Any, tmp_path: Path) -> None:
    (tmp_path / "pretrained").mkdir()
    shutil.copyfile(resolve("svm"), tmp_path / "pretrained" / "svm.json")
    (tmp_path / "pretrained" / "svm.onnx").write_bytes(b"graph")
    change_card(tmp_path / "pretrained" / "svm.json", speech={"threshold": 0.5, "kept": 0.996, "refused": 0.954})
    page = cards.document(figures, tmp_path / "pretrained")
    assert "99.6 % of the tiles of new speakers are kept, and new kinds of other sounds get no label for 95.4 %" in page
    card: ModelCard = read_card(resolve("svm"))
    assert "| [svm](#svm) (default)" in page
    assert "## accurate" not in page, "it is not shipped"
    for part in ("how good", "recall of each emotion", "what it takes for what", "calibration", "limits", "licences"):
        assert f"### svm: {part}" in page, part
    for corpus in card.corpora:
        assert corpus.licence in page
        assert corpus.name in CORPORA
    learnt = [figures.predictions(FigureKey("svm", name, "seven", "joint")) for name in ("ravdess", "emodb")]
    surest = max(made.scores.max(axis=1)[made.label != made.predicted].max() for made in learnt)
    assert f"({surest:.2f}) |" in page
    assert "`tess-" not in page, "a corpus that was never learnt from would be all of the surest mistakes"


def test_the_pages_are_what_the_results_give() -> None:
    figures = laboratory.Figures()
    docs = laboratory.ROOT / "docs"
    assert results.document(figures) == (docs / "results.md").read_text(encoding="utf-8")
    assert cards.document(figures) == (docs / "models.md").read_text(encoding="utf-8")
    for name in ("README.md", "README.zh-CN.md"):
        assert results.readme_table(figures) in (laboratory.ROOT / name).read_text(encoding="utf-8")
    for page in (docs / "quality.md", docs / "zh" / "quality.md"):
        assert results.quality_table(figures) in page.read_text(encoding="utf-8")


OTHER_FORMS = (IDENTITY, "adaptation", "fusion", "transfer")
"""Folders of results/ whose tables are not predictions of a model under a condition."""


def test_every_file_of_results_is_a_figure_or_lists_the_clips_of_one() -> None:
    folder = laboratory.RESULTS
    files = {path for path in folder.rglob("*.csv") if path.parent.name not in OTHER_FORMS}
    for path in files:
        FigureKey.parse(path.parent.relative_to(folder).as_posix(), path.stem)
    firsts = [path.open(encoding="utf-8").readline() for path in files]
    used = {word.rstrip(",").rpartition("/")[2] for first in firsts for word in first.split() if word.endswith(".csv,")}
    assert used == {path.name for path in (folder / IDENTITY).iterdir()}
