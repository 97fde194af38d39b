"""MELD: utterances of the series Friends as mp4 clips, with labels in three CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec

from emovox.corpora.corpus import Annotations, Corpus
from emovox.corpora.layout import ClipRow, Layout, Sex
from emovox.schema.errors import CorpusError

_SPLITS = ("train", "dev", "test")
_LABELS: dict[str, str | None] = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprise": "surprise",
}
_LEADS: dict[str, Sex] = {
    "Chandler": "male",
    "Joey": "male",
    "Monica": "female",
    "Phoebe": "female",
    "Rachel": "female",
    "Ross": "male",
}


def _read_tables(root: Path) -> Annotations:
    rows: dict[str, dict[str, str]] = {}
    for split in _SPLITS:
        for table in sorted(root.rglob(f"{split}_sent_emo.csv"))[:1]:
            with table.open(encoding="utf-8-sig", newline="") as lines:
                for row in csv.DictReader(lines):
                    rows[f"{split}_dia{row['Dialogue_ID']}_utt{row['Utterance_ID']}"] = _annotation(row)
    if not rows:
        raise CorpusError(
            f"{root}: no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv below it; expected them beside the "
            "clips, since they hold the labels; unpack the whole release"
        )
    return rows


def _annotation(row: dict[str, str]) -> dict[str, str]:
    speaker = row["Speaker"].strip()
    sex = {"sex": _LEADS[speaker]} if speaker in _LEADS else {}
    return {"native": row["Emotion"].strip().lower(), "speaker": speaker, "sentence": row["Utterance"].strip()} | sex


def _without_speaker(row: ClipRow) -> ClipRow:
    # File names have no speaker; the layout needs one and takes the name of the split.
    return msgspec.structs.replace(row, speaker=None)


MELD = Corpus(
    name="meld",
    title="Multimodal EmotionLines Dataset",
    languages=("en",),
    licence="GPL-3.0 for the annotations; the clips are cut from a television series",
    licence_risk="high: the recordings are copyrighted television",
    where="https://affective-meld.github.io (MELD.Raw.tar.gz); the .mp4 clips need the extra 'media'",
    citation="""@inproceedings{poria2019meld,
  title = {{MELD}: A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations},
  author = {Poria, Soujanya and Hazarika, Devamanyu and Majumder, Navonil and Naik, Gautam and Cambria, Erik and
            Mihalcea, Rada},
  booktitle = {ACL}, pages = {527--536}, year = {2019}
}""",
    example="train/train_splits/dia0_utt0.wav",
    acted=False,
    layout=Layout(
        # train/train_splits/, dev/dev_splits_complete/, test/output_repeated_splits_test/; numbers restart in each.
        pattern=r"(?:[^/]*_)?(?P<split>train|dev|test)(?:_[^/]*)?/(?P<clip>dia\d+_utt\d+)",
        speaker="{split}",
        identity="{split}_{clip}",
        language="en",
        refine=_without_speaker,
    ),
    labels=_LABELS,
    counts={
        "anger": 1607,
        "disgust": 361,
        "fear": 358,
        "joy": 2308,
        "neutral": 6436,
        "sadness": 1002,
        "surprise": 1636,
    },
    speakers=None,
    annotate=_read_tables,
    labels_from_files=True,
)
