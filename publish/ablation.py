"""The gain of each switch of a recipe: runs with several seeds under several conditions, and detectable differences.

The predictions are in `results/ablation/<row>-seed<n>/`. The row "none" has all switches off, "all" has all on,
"<switch>" has one on, and "without-<switch>" has all but one on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emovox.evaluation.figures.bootstrap import DRAWS, mean_difference
from emovox.evaluation.figures.files import read_predictions
from emovox.evaluation.figures.metrics import uar
from emovox.evaluation.figures.predictions import Predictions
from emovox.evaluation.report.document import Table
from emovox.evaluation.report.sections import NOTHING, percent, points, verdict
from emovox.schema.errors import PredictionsError
from emovox.schema.figure import FigureKey

NONE, ALL, WITHOUT = "none", "all", "without-"

STUDY, SEED = "ablation", "-seed"

CONDITIONS: Mapping[str, str] = {"tile": "as they are", "noise-10": "noise at 10 dB", "phone": "8 kHz, G.711"}
"""Test conditions: key of a condition → words in the table."""

Runs = Mapping[tuple[str, str], Sequence[Predictions]]
"""(row, condition) → predictions, one set a seed."""


def model_of(row: str, seed: int) -> str:
    """Return the `model` of a run's `FigureKey`.

    >>> model_of("without-speed", 2)
    'ablation/without-speed-seed2'
    """
    return f"{STUDY}/{row}{SEED}{seed}"


def read_runs(results: Path) -> Runs:
    """Read all runs of an ablation; of a row that is not finished, the seeds that have most clips.

    Raises:
        PredictionsError: a file that is not named as a figure, or that cannot be read.
    """
    found: dict[tuple[str, str], list[Predictions]] = {}
    for path in sorted((results / STUDY).glob("*/*.csv")):
        key = FigureKey.parse(f"{STUDY}/{path.parent.name}", path.stem)
        row = path.parent.name.rpartition(SEED)[0]
        found.setdefault((row, key.condition), []).append(read_predictions(path))
    return {key: [run for run in runs if len(run) == max(map(len, runs))] for key, runs in found.items()}


def ablation_table(runs: Runs, *, seed: int = 0, draws: int = DRAWS) -> Table:
    """One row a set of switches: UAR under each condition, and its difference from the row that it belongs beside.

    Single switches and all together stand against none of them, "without" one against all. UAR is the mean over seeds,
    ± their standard deviation; differences are in points, paired over speakers, the means over seeds compared.

    Args:
        runs: from `read_runs`.
        seed: of the bootstrap.
        draws: of speakers.
    """
    conditions = [name for name in CONDITIONS if any(name == condition for _, condition in runs)]
    head = [text for name in conditions for text in (f"{CONDITIONS[name]}: UAR", "difference")]
    rows = []
    for row in sorted({row for row, _ in runs}, key=_order):
        against = None if row == NONE else ALL if row.startswith(WITHOUT) else NONE
        cells = [text for name in conditions for text in _cells(runs, row, against, name, seed=seed, draws=draws)]
        seeds = max(len(own) for (name, _), own in runs.items() if name == row)
        rows.append((row.replace(WITHOUT, "without "), against or NOTHING, str(seeds), *cells))
    return Table(("augmentation", "against", "seeds", *head), tuple(rows), names=2)


def _cells(runs: Runs, row: str, against: str | None, condition: str, *, seed: int, draws: int) -> tuple[str, str]:
    own = runs.get((row, condition))
    if own is None:
        return "not run", NOTHING
    values = [uar(run.label, run.predicted) for run in own]
    spread = f" ± {percent(float(np.std(values, ddof=1)))}" if len(values) > 1 else ""
    figure = f"{percent(float(np.mean(values)))}{spread}"
    other = None if against is None else runs.get((against, condition))
    if other is None:
        return figure, NOTHING
    try:
        difference = mean_difference(other, own, rng=np.random.default_rng(seed), draws=draws)
    except PredictionsError:
        return figure, "other clips so far"
    return figure, f"{points(difference)}, {verdict(difference)}"


def _order(row: str) -> tuple[int, str]:
    return (0 if row == NONE else 2 if row == ALL else 3 if row.startswith(WITHOUT) else 1), row
