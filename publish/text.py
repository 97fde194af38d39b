"""Learn the head for the emotion of words from MELD's transcripts, and write it into the package.

    python -m publish.text FOLDER

FOLDER has `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv`. The head learns from the first two; weight
and prior are chosen out of fold on their dialogues. The table printed is that of docs/text.md; the figures of the test
part are kept in the file, too. No sentence is kept: the n-grams are hashed.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from emovox.corpora.meld import MELD
from emovox.fusion.text.emotion import HEAD, write_head
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.schema.labels import EMOTIONS, NEUTRAL
from emovox.training.text import BOTH, LabelledLines, TextFigures, learn_text, text_figures

HOME = Path(__file__).parent.parent / "src" / "emovox" / "runtime" / "text"


def read_part(folder: Path, name: str) -> LabelledLines:
    """Read a part of MELD ("train", "dev", "test") with the labels of this project."""
    with (folder / f"{name}_sent_emo.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return LabelledLines(
        [row["Utterance"] for row in rows],
        [str(MELD.labels[row["Emotion"]]) for row in rows],
        [f"{name} {row['Dialogue_ID']}" for row in rows],
    )


def both(one: LabelledLines, other: LabelledLines) -> LabelledLines:
    """Return the lines of two parts."""
    return LabelledLines(*([*first, *second] for first, second in zip(one, other, strict=True)))


def row(name: str, learning: str, test: TextFigures) -> str:
    """Return a row of the table: F1 in %, weighted and macro, out of fold and on the test part."""
    return f"| {name} | {learning} | {percent(test)} |"


def percent(figures: TextFigures) -> str:
    """Return weighted and macro F1 in %."""
    return " / ".join(f"{100 * each:.1f}" for each in figures)


def always_neutral(part: LabelledLines) -> TextFigures:
    """Return the figures of one label for all lines."""
    share = sum(label == NEUTRAL for label in part.labels) / len(part.labels)
    f1 = 2 * share / (1 + share)
    return TextFigures(share * f1, f1 / len(EMOTIONS))


def main() -> None:
    """Learn, print the figures, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    encoder = SentenceEncoder.load()
    train, dev, test = (read_part(folder, name) for name in ("train", "dev", "test"))
    learnt = learn_text(both(train, dev), encoder=encoder, labels=EMOTIONS)
    found = text_figures(learnt.heads, test, encoder=encoder)
    print(row("always neutral", "", always_neutral(test)))
    for name, figures in found.items():
        print(row(name, percent(learnt.figures[name]), figures))
    head = learnt.heads[BOTH]
    print(f"weight of the n-grams {head.share}")
    notes = {
        "learnt_from": "MELD, train_sent_emo.csv and dev_sent_emo.csv (GPL-3.0; no sentence is kept)",
        "encoder": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
        "test_weighted_f1": f"{found[BOTH].weighted_f1:.4f}",
        "test_macro_f1": f"{found[BOTH].macro_f1:.4f}",
    }
    HOME.mkdir(exist_ok=True)
    write_head(HOME / HEAD, head, notes)


if __name__ == "__main__":
    main()
