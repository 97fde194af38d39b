"""CREMA-D: 91 American actors, 12 sentences, six emotions, one sentence at three intensities."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

# VideoDemographics.csv of the distribution: 43 women, the other 48 are men.
_WOMEN = frozenset(
    "1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 1037 1043 1046 1047 "
    "1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 1076 1078 1079 1082 1084 1089 1091".split()
)
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
    layout=Layout(
        # One published file, 1040_ITH_SAD_X, has a single X.
        pattern=r"(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?:XX?|LO|MD|HI)",
        emotions={native.lower(): native for native in _LABELS},
        speakers={str(n): "female" if str(n) in _WOMEN else "male" for n in range(1001, 1092)},
        language="en",
    ),
    labels=_LABELS,
    counts={"ANG": 1271, "DIS": 1271, "FEA": 1271, "HAP": 1271, "NEU": 1087, "SAD": 1271},
    speakers=91,
    silent=frozenset({"1076_MTI_SAD_XX"}),
)
