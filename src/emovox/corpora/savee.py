"""SAVEE (Surrey): four British men, seven emotions; `DC/a01.wav` as published, `DC_a01.wav` in the common copies."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_SPEAKERS = ("DC", "JE", "JK", "KL")
_CODES = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_TAKES = {code: 30 if code == "n" else 15 for code in _CODES}

SAVEE = Corpus(
    name="savee",
    title="Surrey Audio-Visual Expressed Emotion",
    languages=("en",),
    licence="free for research, after registration",
    licence_risk="high: research use by registration, no grant for anything else",
    where="http://kahlan.eps.surrey.ac.uk/savee/ (registration)",
    citation="""@incollection{haq2010multimodal,
  title = {Multimodal Emotion Recognition},
  author = {Haq, Sanaul and Jackson, Philip J. B.},
  booktitle = {Machine Audition: Principles, Algorithms and Systems}, publisher = {IGI Global},
  pages = {398--423}, year = {2010}
}""",
    example="AudioData/DC/a01.wav",
    layout=Layout(
        pattern=r"(?P<speaker>DC|JE|JK|KL)[_/](?P<emotion>sa|su|[adfhn])(?P<sentence>\d\d)",
        emotions=_CODES,
        speakers=dict.fromkeys(_SPEAKERS, "male"),
        folders={speaker.lower(): {"speaker": speaker} for speaker in _SPEAKERS},
        identity="{speaker}_{code}{sentence}",
        sentence="{code}{sentence}",
        language="en",
    ),
    labels={
        "anger": "angry",
        "disgust": "disgust",
        "fear": "fear",
        "happiness": "happy",
        "neutral": "neutral",
        "sadness": "sad",
        "surprise": "surprise",
    },
    counts={native: len(_SPEAKERS) * _TAKES[code] for code, native in _CODES.items()},
    speakers=4,
    names=lambda: (f"{s}_{code}{n:02d}" for s in _SPEAKERS for code in _CODES for n in range(1, _TAKES[code] + 1)),
)
