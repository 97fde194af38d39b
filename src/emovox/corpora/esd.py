"""ESD: ten Mandarin and ten English speakers, 350 sentences, each in five emotions."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import ClipRow, Layout, Sex

_EMOTIONS = ("Angry", "Happy", "Neutral", "Sad", "Surprise")
_NUMBERED = (
    "Neutral",
    "Angry",
    "Happy",
    "Sad",
    "Surprise",
)  # file numbers count the 350 sentences of each in this order
_SENTENCES = 350
_WOMEN = frozenset({1, 2, 3, 7, 9, 15, 16, 17, 18, 19})
_SPEAKERS: dict[str, Sex | None] = {f"{n:04d}": "female" if n in _WOMEN else "male" for n in range(1, 21)}
_FIRST_ENGLISH = "0011"


def _refine(row: ClipRow) -> ClipRow:
    number = int(row.id.rpartition("_")[2]) - 1
    language = "zh" if row.speaker is not None and row.speaker < _FIRST_ENGLISH else "en"
    numbered = _NUMBERED[number // _SENTENCES] if number < _SENTENCES * len(_NUMBERED) else None
    conflicts = row.conflicts
    if numbered != row.native:
        conflicts += (f"the folder says native {row.native}, the number in the file name says {numbered}",)
    sentence = f"{number % _SENTENCES + 1:03d}"
    return msgspec.structs.replace(row, language=language, sentence=f"{language}-{sentence}", conflicts=conflicts)


def _names() -> Iterator[str]:
    for speaker in _SPEAKERS:
        for number in range(1, _SENTENCES * len(_EMOTIONS) + 1):
            yield f"{speaker}_{number:06d}"


ESD = Corpus(
    name="esd",
    title="Emotional Speech Dataset",
    languages=("zh", "en"),
    licence="research only",
    licence_risk="high: the distribution allows research use only",
    where="https://github.com/HLTSingapore/Emotional-Speech-Data",
    citation="""@article{zhou2022emotional,
  title = {Emotional Voice Conversion: Theory, Databases and {ESD}},
  author = {Zhou, Kun and Sisman, Berrak and Liu, Rui and Li, Haizhou},
  journal = {Speech Communication}, volume = {137}, pages = {1--18}, year = {2022},
  doi = {10.1016/j.specom.2021.11.006}
}""",
    example="0001/Angry/0001_000351.wav",
    layout=Layout(
        pattern=rf"(?P<emotion>{'|'.join(_EMOTIONS)})/(?:(?:train|test|evaluation)/)?(?P<speaker>\d{{4}})_\d{{6}}",
        emotions={emotion.lower(): emotion for emotion in _EMOTIONS},
        speakers=_SPEAKERS,
        folders={speaker: {"speaker": speaker} for speaker in _SPEAKERS},
        refine=_refine,
    ),
    labels={"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad", "Surprise": "surprise"},
    counts=dict.fromkeys(_EMOTIONS, len(_SPEAKERS) * _SENTENCES),
    speakers=20,
    names=_names,
)
