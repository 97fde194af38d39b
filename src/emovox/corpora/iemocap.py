"""IEMOCAP: ten American actors in five dialogue sessions; the labels are in the EmoEvaluation files."""

from __future__ import annotations

import re
from pathlib import Path

from emovox.corpora.corpus import Annotations, Corpus
from emovox.corpora.layout import Layout
from emovox.schema.errors import CorpusError

# "[6.2901 - 8.2357]<tab>Ses01F_impro01_F000<tab>neu<tab>[2.5000, 2.5000, 2.5000]"
_TURN = re.compile(r"^\[[\d. -]+\]\t(Ses0[1-5][FM]_\w+)\t([a-z]{3})\t", re.MULTILINE)
# "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me."
_SAID = re.compile(r"^(Ses0[1-5][FM]_\w+) \[[\d.-]+\]:(.*)$", re.MULTILINE)
_LABELS: dict[str, str | None] = {
    "ang": "angry",
    "dis": "disgust",
    "exc": "happy",
    "fea": "fear",
    "fru": None,
    "hap": "happy",
    "neu": "neutral",
    "oth": None,
    "sad": "sad",
    "sur": "surprise",
    "xxx": None,
}


def _read_evaluations(root: Path) -> Annotations:
    tables = [path for path in sorted(root.rglob("EmoEvaluation/*.txt")) if not path.name.startswith(".")]
    if not tables:
        raise CorpusError(
            f"{root}: no EmoEvaluation/*.txt below it; expected Session1/dialog/EmoEvaluation/Ses01F_impro01.txt and "
            "so on, which hold the labels; unpack the whole release"
        )
    said = _read_transcriptions(root)
    return {
        turn: {"native": native} | ({"sentence": said[turn]} if turn in said else {})
        for table in tables
        for turn, native in _TURN.findall(_text(table))
    }


def _read_transcriptions(root: Path) -> dict[str, str]:
    """Return what is said in each turn; nothing if the transcriptions are not there."""
    tables = [path for path in sorted(root.rglob("transcriptions/*.txt")) if not path.name.startswith(".")]
    return {turn: said.strip() for table in tables for turn, said in _SAID.findall(_text(table))}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")


IEMOCAP = Corpus(
    name="iemocap",
    title="Interactive Emotional Dyadic Motion Capture Database",
    languages=("en",),
    licence="licence agreement with the University of Southern California, research only",
    licence_risk="high: individual research agreement",
    where="https://sail.usc.edu/iemocap/ (release form)",
    citation="""@article{busso2008iemocap,
  title = {{IEMOCAP}: Interactive emotional dyadic motion capture database},
  author = {Busso, Carlos and Bulut, Murtaza and Lee, Chi-Chun and Kazemzadeh, Abe and Mower, Emily and Kim, Samuel and
            Chang, Jeannette N. and Lee, Sungbok and Narayanan, Shrikanth S.},
  journal = {Language Resources and Evaluation}, volume = {42}, number = {4}, pages = {335--359}, year = {2008},
  doi = {10.1007/s10579-008-9076-6}
}""",
    example="Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    acted=False,
    layout=Layout(
        # The first letter is the sex of the actor with the markers, the last one that of the speaker.
        pattern=r"(?P<session>Ses0[1-5])[FM]_(?:impro|script)\w+_(?P<sex>[FM])\d{3}",
        speaker="{session}{sex}",
        language="en",
    ),
    labels=_LABELS,
    counts={
        "ang": 1103,
        "dis": 2,
        "exc": 1041,
        "fea": 40,
        "fru": 1849,
        "hap": 595,
        "neu": 1708,
        "oth": 3,
        "sad": 1084,
        "sur": 107,
        "xxx": 2507,
    },
    speakers=10,
    annotate=_read_evaluations,
    labels_from_files=True,
)
