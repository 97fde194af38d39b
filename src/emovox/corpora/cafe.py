"""CaFE: twelve Canadian French actors, six sentences, two intensities, seven emotions."""

from __future__ import annotations

from collections.abc import Iterator

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_CODES = {
    "c": "colère",
    "d": "dégoût",
    "j": "joie",
    "n": "neutre",
    "p": "peur",
    "s": "surprise",
    "t": "tristesse",
}
_ACTORS = tuple(f"{n:02d}" for n in range(1, 13))


def _names() -> Iterator[str]:
    for actor in _ACTORS:
        for code in _CODES:
            for intensity in (1,) if code == "n" else (1, 2):
                for sentence in range(1, 7):
                    yield f"{actor}-{code.upper()}-{intensity}-{sentence}"


CAFE = Corpus(
    name="cafe",
    title="Canadian French Emotional Speech Dataset",
    languages=("fr",),
    licence="CC BY-NC-SA 4.0",
    licence_risk="medium: non-commercial and share-alike; whether weights inherit that is not settled",
    where="https://zenodo.org/records/1478765 (CaFE_48k.zip)",
    citation="""@inproceedings{gournay2018canadian,
  title = {A {C}anadian {F}rench Emotional Speech Dataset},
  author = {Gournay, Philippe and Lahaie, Olivier and Lefebvre, Roch},
  booktitle = {ACM Multimedia Systems Conference}, pages = {399--402}, year = {2018},
  doi = {10.1145/3204949.3208121}
}""",
    example="Colère/Faible/01-C-1-1.wav",
    layout=Layout(
        pattern=r"(?P<speaker>\d\d)-(?P<emotion>[CDJNPST])-[12]-(?P<sentence>[1-6])",
        emotions=_CODES,
        speakers={actor: "male" if int(actor) % 2 else "female" for actor in _ACTORS},
        folders={native: {"native": native} for native in _CODES.values()},
        language="fr",
    ),
    labels={
        "colère": "angry",
        "dégoût": "disgust",
        "joie": "happy",
        "neutre": "neutral",
        "peur": "fear",
        "surprise": "surprise",
        "tristesse": "sad",
    },
    counts={native: 72 if code == "n" else 144 for code, native in _CODES.items()},
    speakers=12,
    names=_names,
)
