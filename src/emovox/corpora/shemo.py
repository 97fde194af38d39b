"""ShEMO (Sharif): 87 Persian speakers cut from radio plays, six emotions, very uneven."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_CODES = {"a": "anger", "f": "fear", "h": "happiness", "n": "neutral", "s": "sadness", "w": "surprise"}

SHEMO = Corpus(
    name="shemo",
    title="Sharif Emotional Speech Database",
    languages=("fa",),
    licence="free for academic purposes",
    licence_risk="high: academic use, and the recordings are cut from broadcast radio plays",
    where="https://github.com/pariajm/sharif-emotional-speech-dataset (male.zip, female.zip)",
    citation="""@article{nezami2019shemo,
  title = {{ShEMO}: a large-scale validated database for {P}ersian speech emotion detection},
  author = {Mohamad Nezami, Omid and Jamshid Lou, Paria and Karami, Mansoureh},
  journal = {Language Resources and Evaluation}, volume = {53}, number = {1}, pages = {1--16}, year = {2019},
  doi = {10.1007/s10579-018-9427-x}
}""",
    example="female/F01A01.wav",
    layout=Layout(
        pattern=r"(?P<speaker>(?P<sex>[FM])\d\d)(?P<emotion>[AFHNSW])\d\d+",
        emotions=_CODES,
        speakers={
            **{f"F{n:02d}": "female" for n in range(1, 32)},
            **{f"M{n:02d}": "male" for n in range(1, 57)},
        },
        folders={"female": {"sex": "female"}, "male": {"sex": "male"}},
        language="fa",
    ),
    labels={
        "anger": "angry",
        "fear": "fear",
        "happiness": "happy",
        "neutral": "neutral",
        "sadness": "sad",
        "surprise": "surprise",
    },
    counts={"anger": 1059, "fear": 38, "happiness": 201, "neutral": 1028, "sadness": 449, "surprise": 225},
    speakers=87,
)
