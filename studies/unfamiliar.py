"""What the warning `unfamiliar` of shipped models is worth on corpora that they have not learnt from.

    python -m studies.unfamiliar [MODEL …]

Recordings of ten tiles, about 30 s, are drawn from the tiles of a speaker. It prints the share with the warning, and
the expected calibration error of all their tiles before and after the loss of confidence. It needs `$EMOVOX_CORPORA`.
Tiles are kept in the cache folder.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from emovox.adaptation.familiarity import Familiarity, tempered
from emovox.evaluation.figures.metrics import expected_calibration_error
from emovox.evaluation.trust.familiarity import TILES, VoiceTiles, distances, running_distances
from emovox.runtime.model import Model
from emovox.runtime.registry import shipped
from emovox.schema.labels import EMOTIONS
from publish.tables import table
from publish.trust_card import CLIPS, heard

CORPORA = {"tess": 400, "emovo": CLIPS}
"""Corpus → clips of each speaker. TESS has two speakers, with 1,400 clips each."""


def row(name: str) -> tuple[str, ...]:
    """Return the row of a model: what its card says, then the shares with a warning, and the errors on TESS."""
    model = Model.load(shipped()[name].with_suffix(".onnx"))
    trust, learnt = model.card.trust, {corpus.name for corpus in model.card.corpora}
    if trust is None or trust.familiarity is None:
        return (f"`{name}`", *["none"] * 6)
    familiarity = Familiarity.from_card(trust.familiarity)
    warned = ["learnt" if corpus in learnt else _warned(model, familiarity, corpus, TILES[-1]) for corpus in CORPORA]
    soon = _warned(model, familiarity, "tess", TILES[1])
    before, after = errors(familiarity, heard(model, "tess", CORPORA["tess"]), model.card.labels)
    card = trust.familiarity
    return (f"`{name}`", f"{card.known}", f"{card.unheard}", *warned, soon, f"{before:.1f} → {after:.1f}")


def errors(familiarity: Familiarity, tiles: dict[str, Any], labels: tuple[str, ...]) -> tuple[float, float]:
    """Return the calibration error, in percent, of all tiles of drawn recordings: scores as they are, and lowered."""
    known = np.isin(tiles["label"], EMOTIONS)
    voices = VoiceTiles(tiles["statistics"][known], tiles["speaker"][known])
    found, rows = running_distances(familiarity, voices, np.random.default_rng(0))
    truth = np.array([labels.index(label) for label in tiles["label"][known].tolist()])[rows]
    plain = tiles["scores"][known][rows].astype(np.float32)
    lowered = np.stack(
        [tempered(one, familiarity.temperature(distance)) for one, distance in zip(plain, found, strict=True)]
    )
    first, second = (100 * expected_calibration_error(scores.astype(np.float64), truth) for scores in (plain, lowered))
    return first, second


def _warned(model: Model, familiarity: Familiarity, corpus: str, tiles: int) -> str:
    found = heard(model, corpus, CORPORA[corpus])
    voices = VoiceTiles(found["statistics"], found["speaker"])
    return f"{100 * float((distances(familiarity, voices, tiles, np.random.default_rng(0)) > 1).mean()):.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["accurate", "hybrid", "mobile"])
    head = ("model", "held-out speakers", "left-out corpora", *CORPORA, "tess, 9 s", "ECE on TESS before → after")
    print(table(head, [row(name) for name in parser.parse_args().models]))


if __name__ == "__main__":
    main()
