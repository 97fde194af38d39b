"""TESS (Toronto): two English-speaking women, 200 words in one carrier phrase, seven emotions."""

from __future__ import annotations

from collections.abc import Iterator

from emovox.corpora.corpus import Corpus, published_names
from emovox.corpora.layout import Layout

_LABELS: dict[str, str | None] = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sad",
}
# The folders of the two speakers are spelt differently in the download; the file names are reliable.
_FOLDERS = {
    f"{speaker.lower()}_{folder}": {"speaker": speaker, "native": native}
    for speaker in ("OAF", "YAF")
    for folder, native in [
        *((native, native) for native in _LABELS),
        ("pleasant_surprise", "ps"),
        ("pleasant_surprised", "ps"),
    ]
}


def _names() -> Iterator[str]:
    for speaker in ("OAF", "YAF"):
        for word in published_names("tess"):
            for native in _LABELS:
                yield f"{speaker}_{word}_{native}"


TESS = Corpus(
    name="tess",
    title="Toronto Emotional Speech Set",
    languages=("en",),
    licence="CC BY-NC-ND 4.0",
    licence_risk="high: no derivatives and non-commercial; evaluate on it, do not ship weights trained on it",
    where="https://doi.org/10.5683/SP2/E8H2MF (Borealis)",
    citation="""@data{pichorafuller2020tess,
  title = {Toronto emotional speech set ({TESS})},
  author = {Pichora-Fuller, M. Kathleen and Dupuis, Kate},
  publisher = {Borealis}, year = {2020}, doi = {10.5683/SP2/E8H2MF}
}""",
    example="YAF_pleasant_surprised/YAF_back_ps.wav",
    layout=Layout(
        # OA_bite_neutral is misspelt in the download itself.
        pattern=r"(?P<speaker>OAF|OA|YAF)_(?P<sentence>[a-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)",
        emotions={native: native for native in _LABELS},
        speakers={"OAF": "female", "YAF": "female"},
        aliases={"oa": "OAF"},
        folders=_FOLDERS,
        identity="{speaker}_{sentence}_{code}",
        language="en",
    ),
    labels=_LABELS,
    counts=dict.fromkeys(_LABELS, 400),
    speakers=2,
    names=_names,
)
