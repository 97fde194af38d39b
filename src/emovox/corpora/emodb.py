"""EMO-DB (Berlin): 10 German actors, 10 sentences, seven emotions with boredom instead of surprise."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus, published_names
from emovox.corpora.layout import Layout, Sex

_SPEAKERS: dict[str, Sex | None] = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}

EMODB = Corpus(
    name="emodb",
    title="Berlin Database of Emotional Speech (EMO-DB)",
    languages=("de",),
    licence="free of charge, with citation (no formal licence)",
    licence_risk="low: offered for free use with citation, but without a formal licence text",
    where="http://emodb.bilderbar.info (download.zip); also https://zenodo.org/records/7447302",
    citation="""@inproceedings{burkhardt2005database,
  title = {A Database of {G}erman Emotional Speech},
  author = {Burkhardt, Felix and Paeschke, Astrid and Rolfes, Miriam and Sendlmeier, Walter F. and Weiss, Benjamin},
  booktitle = {Interspeech}, pages = {1517--1520}, year = {2005}
}""",
    example="wav/03a01Fa.wav",
    layout=Layout(
        pattern=r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<emotion>[wlefatn])[a-z]",
        emotions={
            "w": "anger",
            "l": "boredom",
            "e": "disgust",
            "a": "fear",
            "f": "happiness",
            "n": "neutral",
            "t": "sadness",
        },
        speakers=_SPEAKERS,
        language="de",
    ),
    labels={
        "anger": "angry",
        "boredom": "boredom",
        "disgust": "disgust",
        "fear": "fear",
        "happiness": "happy",
        "neutral": "neutral",
        "sadness": "sad",
    },
    counts={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    speakers=10,
    names=lambda: published_names("emodb"),
)
