"""CASIA, the public part of 1200 clips: 4 Mandarin speakers, 50 sentences, each in six emotions."""

from __future__ import annotations

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import Layout, Sex

_EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
# The distribution has two women and two men but does not say who is who; the sexes are from their median F0
# (226, 130, 250, 143 Hz).
_SPEAKERS: dict[str, Sex | None] = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "ZhaoZuoxiang": "male",
}

CASIA = Corpus(
    name="casia",
    title="CASIA Mandarin emotional speech corpus (the 1200-clip part)",
    languages=("zh",),
    licence="restricted: local research only, no clip may be redistributed",
    licence_risk="high: research agreement, no redistribution; per-clip features must not be shipped either",
    where="Chinese Linguistic Data Consortium, http://www.chineseldc.org: CASIA emotional corpus, by agreement",
    citation="""@inproceedings{tao2008design,
  title = {Design of Speech Corpus for {M}andarin Text to Speech},
  author = {Tao, Jianhua and Liu, Fangzhou and Zhang, Meng and Jia, Huibin},
  booktitle = {The Blizzard Challenge 2008 Workshop}, year = {2008}
}""",
    example="liuchanhg/angry/201.wav",
    layout=Layout(
        pattern=rf"(?P<speaker>{'|'.join(_SPEAKERS)})/(?P<emotion>{'|'.join(_EMOTIONS)})/(?P<sentence>2[0-4]\d|250)",
        emotions={emotion: emotion for emotion in _EMOTIONS},
        speakers=_SPEAKERS,
        identity="{speaker}_{emotion}_{sentence}",
        language="zh",
    ),
    labels={emotion: emotion for emotion in _EMOTIONS},
    counts=dict.fromkeys(_EMOTIONS, 200),
    speakers=4,
    names=lambda: (f"{s}_{e}_{n}" for s in _SPEAKERS for e in _EMOTIONS for n in range(201, 251)),
)
