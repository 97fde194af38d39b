"""nEMO: nine Polish actors, 90 sentences, six emotions; `data.tsv` beside the samples repeats the names."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from emovox.corpora.corpus import Annotations, Corpus
from emovox.corpora.layout import Layout, Sex

_LABELS: dict[str, str | None] = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprise",
}
_SPEAKERS: dict[str, Sex | None] = {
    "EB0": "female",
    "IC0": "female",
    "KD0": "female",
    "KS0": "male",
    "MK0": "female",
    "MP0": "male",
    "SM0": "male",
    "TP0": "male",
    "WR0": "male",
}


def _read_table(root: Path) -> Annotations:
    rows: dict[str, dict[str, str]] = {}
    for table in sorted(root.rglob("data.tsv"))[:1]:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                rows[PurePosixPath(row["file_id"]).stem] = {
                    "native": row["emotion"].strip(),
                    "speaker": row["speaker_id"].strip(),
                    "sex": row["gender"].strip(),
                }
    return rows


NEMO = Corpus(
    name="nemo",
    title="nEMO: Dataset of Emotional Speech in Polish",
    languages=("pl",),
    licence="CC BY-NC-SA 4.0",
    licence_risk="medium: non-commercial and share-alike; whether weights inherit that is not settled",
    where="https://huggingface.co/datasets/amu-cai/nEMO",
    citation="""@inproceedings{christop2024nemo,
  title = {n{EMO}: Dataset of Emotional Speech in {P}olish},
  author = {Christop, Iwona},
  booktitle = {LREC-COLING}, pages = {12111--12116}, year = {2024}
}""",
    example="samples/WR0_surprised_64.wav",
    layout=Layout(
        pattern=rf"(?P<speaker>{'|'.join(_SPEAKERS)})_(?P<emotion>{'|'.join(_LABELS)})_(?P<sentence>\d+)",
        emotions={native: native for native in _LABELS},
        speakers=_SPEAKERS,
        language="pl",
    ),
    labels=_LABELS,
    counts={"anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprised": 669},
    speakers=9,
    annotate=_read_table,
)
