"""What each switch of a recipe brings: runs with several seeds under several conditions, and what can be told apart.

The predictions lie in one folder as `<row>-seed<n>-<condition>.csv`. The row "none" has every switch off, "all" every
one on, "<switch>" that one alone, "without-<switch>" all but that one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from emovox.evaluation.figures.bootstrap import DRAWS, mean_difference
from emovox.evaluation.figures.metrics import uar
from emovox.evaluation.figures.predictions import Predictions, read_predictions
from emovox.evaluation.report.document import Table
from emovox.evaluation.report.sections import NOTHING, percent, points, verdict
from emovox.schema.errors import PredictionsError

NONE, ALL, WITHOUT = "none", "all", "without-"

CONDITIONS: Mapping[str, str] = {"clean": "as they are", "noise": "noise at 10 dB", "phone": "8 kHz, G.711"}
"""How the test clips sound: as in the names of files → as tables call it."""

_NAME = re.compile(rf"(?P<row>.+)-seed(?P<seed>\d+)-(?P<condition>{'|'.join(CONDITIONS)})")

Runs = Mapping[tuple[str, str], Sequence[Predictions]]
"""(row, condition) → predictions, one set a seed."""


def file_name(row: str, seed: int, condition: str) -> str:
    """Name the CSV of one run.

    >>> file_name("without-speed", 2, "noise")
    'without-speed-seed2-noise.csv'
    """
    return f"{row}-seed{seed}-{condition}.csv"


def read_runs(folder: Path) -> Runs:
    """Read all runs of an ablation; of a row that is not finished, the seeds that have most clips.

    Raises:
        PredictionsError: a file of another name, or one that cannot be read.
    """
    found: dict[tuple[str, str], list[Predictions]] = {}
    for path in sorted(folder.glob("*.csv")):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise PredictionsError(
                f"{path}: got a name that is not of an ablation, expected {file_name('ROW', 0, 'clean')}; move it away"
            )
        found.setdefault((match["row"], match["condition"]), []).append(read_predictions(path))
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
