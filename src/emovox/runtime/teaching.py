"""Teach a profile from recordings: the sums of a voice, the last map of the model's head, or both."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from emovox.adaptation.learning import HeadLearner
from emovox.adaptation.speaker import SpeakerProfile
from emovox.adaptation.voice import VoiceSums
from emovox.runtime.first_pass import UNCERTAIN_SPEECH, Heard
from emovox.runtime.model import Model
from emovox.runtime.second_pass import GROUPS, voices_of
from emovox.runtime.timeline import spoken
from emovox.schema.errors import SpeakerError
from emovox.schema.result import NOT_SPEECH

Teach = Literal["voice", "head", "both"]
"""What recordings teach: "voice" the sums of one speaker, "head" the model's head, which suits any number of speakers.

A head that learns keeps embeddings and scores of single clips.
"""


def check_label(model: Model, label: str | None, teach: Teach) -> None:
    """Raise an error for a label that cannot teach.

    Args:
        model: knows the labels.
        label: of a recording; None: unknown.
        teach: what it is to teach.

    Raises:
        SpeakerError: the model has no such label, a head is to learn without one, or `teach` is unknown.
    """
    labels = model.card.labels
    if teach not in get_args(Teach):
        raise SpeakerError(f"teach is '{teach}', expected one of {', '.join(get_args(Teach))}")
    if label is not None and label not in labels:
        raise SpeakerError(f"got the label '{label}', expected one of {', '.join(labels)}")
    if label is None and teach != "voice":
        raise SpeakerError(
            f"teach is '{teach}' without a label, expected one of {', '.join(labels)}; or teach the voice"
        )


def taught(model: Model, known: SpeakerProfile | None, heard: Heard, label: str | None, teach: Teach) -> SpeakerProfile:
    """Return a profile after a recording.

    Args:
        model: the model of the first pass.
        known: the profile before; None: nothing is known.
        heard: the recording, with its statistics.
        label: of all that is said in it; None: unknown.
        teach: what it teaches.

    Raises:
        SpeakerError: there is no speech in it.
        ModelError: the model cannot adapt.
    """
    if not spoken(heard.segments) or any(notice.code == UNCERTAIN_SPEECH for notice in heard.notices):
        raise SpeakerError(f"{heard.file}: got no clear speech to learn from, expected a recording of the speaker")
    card, index = model.card, None if label is None else model.card.labels.index(label)
    nothing = SpeakerProfile(card.name, card.sha256, card.labels, VoiceSums.empty(model.adaptation))
    voice, learner = (nothing.voice, None) if known is None else (known.voice, known.learner)
    if teach != "head":
        voice = voice + voices_of(model, heard, GROUPS["recording"], label=index)[None]
    if teach != "voice" and index is not None:
        rows = [place for place, segment in enumerate(heard.segments) if segment.code != NOT_SPEECH]
        embeddings = model.embedding(heard.statistics[rows])
        plain = np.array([list(heard.segments[row].scores.values()) for row in rows], np.float32)
        learner = learner or HeadLearner.empty(embeddings.shape[1], len(card.labels))
        learner = learner.learn(embeddings, plain, [index] * len(plain))
    return SpeakerProfile(card.name, card.sha256, card.labels, voice, learner)
