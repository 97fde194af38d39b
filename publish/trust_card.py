"""Measure what the scores of shipped models are worth, and write it into their cards.

    python -m publish.trust_card [MODEL …]

It reads the out-of-fold predictions in `results/`, and changes nothing but the key `trust` of the cards and the list of
`emovox models fetch`. The graphs stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from emovox.evaluation.figures.files import read_predictions
from emovox.export.card import measured_trust
from emovox.runtime.registry import read_card, shipped
from emovox.schema.card import ModelCard, encode_card
from emovox.schema.figure import TILE, FigureKey
from publish.fetch import write_list
from publish.laboratory import RESULTS


def measured(card: ModelCard, results: Path = RESULTS) -> ModelCard:
    """Return a card with its key `trust`, measured from the predictions of its model.

    Args:
        card: of a model whose predictions are in `results`.
        results: holds `<model>/<stem>.csv`.
    """
    paths = {FigureKey.parse(card.name, path.stem): path for path in (results / card.name).glob("*.csv")}
    shown = {key: read_predictions(path) for key, path in paths.items() if key.condition == TILE}
    return msgspec.structs.replace(card, trust=measured_trust(shown, card.labels))


def main() -> None:
    """Write the cards and the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=[*shipped()])
    paths = shipped()
    for name in parser.parse_args().models:
        card = measured(read_card(paths[name]))
        paths[name].with_suffix(".json").write_bytes(encode_card(card))
        for one in () if card.trust is None else card.trust.sets:
            print(f"{name}: {one}")
    write_list()


if __name__ == "__main__":
    main()
