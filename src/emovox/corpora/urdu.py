"""URDU: 400 clips of 38 speakers cut from Urdu talk shows, four emotions."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_CODES = {"a": "Angry", "h": "Happy", "n": "Neutral", "s": "Sad"}

URDU = Corpus(
    name="urdu",
    title="URDU-Dataset (Urdu talk shows)",
    languages=("ur",),
    licence="no licence text; public for research",
    licence_risk="high: no licence text, and the recordings are cut from broadcast talk shows",
    where="https://github.com/siddiquelatif/URDU-Dataset",
    citation="""@inproceedings{latif2018cross,
  title = {Cross Lingual Speech Emotion Recognition: {U}rdu vs. {W}estern Languages},
  author = {Latif, Siddique and Qayyum, Adnan and Usman, Muhammad and Qadir, Junaid},
  booktitle = {International Conference on Frontiers of Information Technology (FIT)}, pages = {88--93}, year = {2018}
}""",
    example="Angry/SM1_F1_A01.wav",
    acted=False,
    layout=Layout(
        pattern=r"(?P<speaker>S(?P<sex>[FM])\d+)_F\d+_(?P<emotion>[AHNS])\d+",
        emotions=_CODES,
        folders={native.lower(): {"native": native} for native in _CODES.values()},
        language="ur",
    ),
    labels={"Angry": "angry", "Happy": "happy", "Neutral": "neutral", "Sad": "sad"},
    counts=dict.fromkeys(_CODES.values(), 100),
    speakers=38,
)
