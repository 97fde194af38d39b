"""Corpora, licences and risks of the training clips of a model, for its card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from emovox.corpora.corpus import Corpus
from emovox.corpora.manifest import Clip
from emovox.corpora.registry import CORPORA, SPEAKER_CORPORA
from emovox.schema.card import CardCorpus

PUBLISHED: Mapping[str, Corpus] = {**CORPORA, **SPEAKER_CORPORA}
"""All published corpora by name."""

OWN_LICENCE = "your own recordings"
"""Licence in the card for recordings of the user."""


def card_corpora(clips: Sequence[Clip]) -> tuple[CardCorpus, ...]:
    """Return the corpora of clips in the order of first appearance; unknown speakers are not counted."""
    return tuple(_corpus(clips, name) for name in dict.fromkeys(clip.corpus for clip in clips))


def licence(names: Iterable[str]) -> str:
    """Return the licence of weights trained on these corpora.

    >>> licence(["mine"])
    'yours: trained on your own recordings'
    """
    if any(name in PUBLISHED for name in names):
        return "research, non-commercial; no redistribution right is claimed for the corpora (see pretrained/LICENSE)"
    return "yours: trained on your own recordings"


def licence_risk(names: Iterable[str]) -> str:
    """Return the licence risks of the published corpora among these, in one line.

    >>> licence_risk(["mine", "voxceleb"])
    'voxceleb: high: cut from YouTube; voices of people who were never asked'
    """
    risks = [f"{name}: {PUBLISHED[name].licence_risk}" for name in names if name in PUBLISHED]
    return "; ".join(risks) or "none known: trained on your own recordings"


def _corpus(clips: Sequence[Clip], name: str) -> CardCorpus:
    members = [clip for clip in clips if clip.corpus == name]
    terms = PUBLISHED[name].licence if name in PUBLISHED else OWN_LICENCE
    return CardCorpus(name, terms, len({clip.speaker for clip in members if clip.speaker}), len(members))
