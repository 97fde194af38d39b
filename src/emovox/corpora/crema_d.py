"""CREMA-D: 91 American actors, 12 sentences, six emotions, one sentence at three intensities."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

# From VideoDemographics.csv of the distribution: 43 women; the other 48 are men.
# fmt: off
_WOMEN = frozenset({
    2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49, 52, 53, 54, 55, 56, 58, 60,
    61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91,
})
# fmt: on
_LABELS: dict[str, str | None] = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

CREMA_D = Corpus(
    name="crema-d",
    title="Crowd-sourced Emotional Multimodal Actors Dataset",
    languages=("en",),
    licence="Open Database License 1.0 (contents: Database Contents License 1.0)",
    licence_risk="low: open, attribution and share-alike of the database",
    where="https://github.com/CheyneyComputerScience/CREMA-D (git lfs, folder AudioWAV)",
    citation="""@article{cao2014crema,
  title = {{CREMA-D}: Crowd-Sourced Emotional Multimodal Actors Dataset},
  author = {Cao, Houwei and Cooper, David G. and Keutmann, Michael K. and Gur, Ruben C. and Nenkova, Ani and
            Verma, Ragini},
  journal = {IEEE Transactions on Affective Computing}, volume = {5}, number = {4}, pages = {377--390}, year = {2014},
  doi = {10.1109/TAFFC.2014.2336244}
}""",
    example="AudioWAV/1001_DFA_ANG_XX.wav",
    layout=Layout(
        # One published file, 1040_ITH_SAD_X, has a single X.
        pattern=r"(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?:XX?|LO|MD|HI)",
        emotions={native.lower(): native for native in _LABELS},
        speakers={str(1000 + n): "female" if n in _WOMEN else "male" for n in range(1, 92)},
        language="en",
    ),
    labels=_LABELS,
    counts={"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271},
    speakers=91,
    silent=frozenset({"1076_MTI_SAD_XX"}),
)
