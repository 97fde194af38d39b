"""Learn the head for the emotion of words from MELD's transcripts, and write it into the package.

    python -m publish.text FOLDER

FOLDER has `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv`. Everything is chosen on the development
part; the figures printed and kept in the file are those of the test part. No sentence is kept: the n-grams are hashed.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from emovox.corpora.meld import MELD
from emovox.fusion.text.emotion import HEAD, write_head
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.schema.labels import EMOTIONS
from emovox.training.text import LabelledLines, learn_text, text_figures

HOME = Path(__file__).parent.parent / "src" / "emovox" / "runtime" / "text"


def read_part(folder: Path, name: str) -> LabelledLines:
    """Read a part of MELD ("train", "dev", "test") with the labels of this project."""
    with (folder / f"{name}_sent_emo.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return LabelledLines([row["Utterance"] for row in rows], [str(MELD.labels[row["Emotion"]]) for row in rows])


def main() -> None:
    """Learn, print the figures, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    encoder = SentenceEncoder.load()
    train, dev, test = (read_part(folder, name) for name in ("train", "dev", "test"))
    head = learn_text(train, dev, encoder=encoder, labels=EMOTIONS)
    found = {name: text_figures(head, part, encoder=encoder) for name, part in (("dev", dev), ("test", test))}
    for name, figures in found.items():
        print(f"{name}: weighted F1 {100 * figures.weighted_f1:.1f}, macro F1 {100 * figures.macro_f1:.1f}")
    notes = {
        "learnt_from": "MELD, train_sent_emo.csv (GPL-3.0; no sentence is kept)",
        "encoder": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
        "test_weighted_f1": f"{found['test'].weighted_f1:.4f}",
        "test_macro_f1": f"{found['test'].macro_f1:.4f}",
    }
    HOME.mkdir(exist_ok=True)
    write_head(HOME / HEAD, head, notes)


if __name__ == "__main__":
    main()
