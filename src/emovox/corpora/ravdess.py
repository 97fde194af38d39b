"""RAVDESS, the speech part of the audio-only files: 24 North American actors, two sentences, two intensities."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout

_NATIVE = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_ACTORS = tuple(f"{actor:02d}" for actor in range(1, 25))


def _names() -> Iterator[str]:
    for emotion, intensity, sentence, take, actor in product(range(1, 9), (1, 2), (1, 2), (1, 2), _ACTORS):
        if (emotion, intensity) != (1, 2):  # neutral has no strong intensity
            yield f"03-01-{emotion:02d}-{intensity:02d}-{sentence:02d}-{take:02d}-{actor}"


RAVDESS = Corpus(
    name="ravdess",
    title="Ryerson Audio-Visual Database of Emotional Speech and Song (speech, audio only)",
    languages=("en",),
    licence="CC BY-NC-SA 4.0",
    licence_risk="medium: non-commercial and share-alike; whether weights inherit that is not settled",
    where="https://zenodo.org/records/1188976: Audio_Speech_Actors_01-24.zip (song and video files are left aside)",
    citation="""@article{livingstone2018ryerson,
  title = {The {R}yerson {A}udio-{V}isual {D}atabase of {E}motional {S}peech and {S}ong ({RAVDESS})},
  author = {Livingstone, Steven R. and Russo, Frank A.},
  journal = {PLoS ONE}, volume = {13}, number = {5}, pages = {e0196391}, year = {2018},
  doi = {10.1371/journal.pone.0196391}
}""",
    example="Actor_01/03-01-01-01-01-01-01.wav",
    layout=Layout(
        pattern=r"03-01-(?P<emotion>0[1-8])-0[12]-(?P<sentence>0[12])-0[12]-(?P<speaker>\d\d)",
        emotions={f"{code:02d}": native for code, native in enumerate(_NATIVE, start=1)},
        speakers={actor: "male" if int(actor) % 2 else "female" for actor in _ACTORS},
        folders={f"actor_{actor}": {"speaker": actor} for actor in _ACTORS},
        language="en",
    ),
    labels={
        "neutral": "neutral",
        "calm": "calm",
        "happy": "happy",
        "sad": "sad",
        "angry": "angry",
        "fearful": "fear",
        "disgust": "disgust",
        "surprised": "surprise",
    },
    counts={native: 96 if native == "neutral" else 192 for native in _NATIVE},
    speakers=24,
    names=_names,
    duplicates=(frozenset({"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"}),),
)
