"""EMOVO: six Italian actors, 14 sentences, seven emotions."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
_SENTENCES = ("b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5")
_CODES = {
    "dis": "disgusto",
    "gio": "gioia",
    "neu": "neutrale",
    "pau": "paura",
    "rab": "rabbia",
    "sor": "sorpresa",
    "tri": "tristezza",
}

EMOVO = Corpus(
    name="emovo",
    title="EMOVO: Italian Emotional Speech Database",
    languages=("it",),
    licence="free to download for research; no licence text comes with it",
    licence_risk="high: no licence text, so nothing beyond research is granted",
    where="Fondazione Ugo Bordoni, http://voice.fub.it/activities/corpora/emovo/ (often down; ask the authors)",
    citation="""@inproceedings{costantini2014emovo,
  title = {{EMOVO} Corpus: an {I}talian Emotional Speech Database},
  author = {Costantini, Giovanni and Iaderola, Iacopo and Paoloni, Andrea and Todisco, Massimiliano},
  booktitle = {LREC}, pages = {3501--3504}, year = {2014}
}""",
    example="f1/dis-f1-b1.wav",
    layout=Layout(
        pattern=r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])-(?P<sentence>[bdln]\d)",
        emotions=_CODES,
        speakers={speaker: "female" if speaker[0] == "f" else "male" for speaker in _SPEAKERS},
        folders={speaker: {"speaker": speaker} for speaker in _SPEAKERS},
        language="it",
    ),
    labels={
        "disgusto": "disgust",
        "gioia": "happy",
        "neutrale": "neutral",
        "paura": "fear",
        "rabbia": "angry",
        "sorpresa": "surprise",
        "tristezza": "sad",
    },
    counts=dict.fromkeys(_CODES.values(), len(_SPEAKERS) * len(_SENTENCES)),
    speakers=6,
    names=lambda: (f"{code}-{speaker}-{s}" for code in _CODES for speaker in _SPEAKERS for s in _SENTENCES),
)
