"""The warning `unfamiliar` of recordings and streams, with a toy model whose statistics are two numbers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from emovox.adaptation.familiarity import to_half
from emovox.audio.types import Samples
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor, load
from emovox.runtime.registry import resolve
from emovox.schema.card import encode_card
from emovox.schema.errors import CardError
from emovox.schema.events import SpeechEnded
from emovox.schema.result import Result
from emovox.schema.trust import CardFamiliarity, CardTrust
from emovox.testing import RATE, speech, write_toy

KNOWN, STRANGE = 150.0, 400.0
"""Pitch in Hz of a voice like those in training, and of another one."""

ROUNDING = 1e-4


def talk(f0: float) -> Samples:
    pause = np.zeros(RATE, np.float32)
    return np.concatenate([speech(f0, seconds=3.0), pause, speech(f0, seconds=3.0)])


def knows(folder: Path, **changes: object) -> Path:
    """A toy model that has learnt from voices of the pitch `KNOWN`."""
    folder.mkdir(exist_ok=True)
    plain = load(str(write_toy(folder, sharpness=1.0)))
    centre = plain.hear((talk(KNOWN), RATE)).statistics.mean(axis=0)
    other = plain.hear((talk(STRANGE), RATE)).statistics.mean(axis=0)
    unit = 2 / float(np.abs(other - centre).max())  # the strange voice is two deviations away or more
    familiarity = CardFamiliarity(
        step=1,
        axes=to_half(unit * np.eye(2)),
        centres=(tuple(unit * float(value) for value in centre),),
        voices=(10,),
        spread=(0.1, 0.1),
        limits=((1, 1.0),),
        slope=2.0,
        known=2.5,
        unheard=90.0,
    )
    familiarity = msgspec.structs.replace(familiarity, **changes)
    return write_toy(folder, sharpness=1.0, trust=CardTrust(familiarity=familiarity))


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(knows(tmp_path_factory.mktemp("toy"))))


@pytest.fixture(scope="module")
def unaware(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(str(write_toy(tmp_path_factory.mktemp("unaware"), sharpness=1.0)))


def codes(result: Result) -> list[str]:
    return [notice.code for notice in result.warnings]


def test_a_known_voice_is_scored_as_ever(predictor: Predictor, unaware: Predictor) -> None:
    found = predictor.predict((talk(KNOWN), RATE))
    assert "unfamiliar" not in codes(found)
    assert found.unfamiliarity is not None
    assert found.unfamiliarity < 1
    assert found.scores == unaware.predict((talk(KNOWN), RATE)).scores


def test_a_strange_voice_gets_a_warning_and_less_confidence(predictor: Predictor, unaware: Predictor) -> None:
    found, before = (one.predict((talk(STRANGE), RATE)) for one in (predictor, unaware))
    assert found.unfamiliarity is not None
    assert found.unfamiliarity > 1.5
    (message,) = [notice.message for notice in found.warnings if notice.code == "unfamiliar"]
    assert f"very unlike the recordings in training (distance {found.unfamiliarity:.2f}, limit 1)" in message
    assert "--adapt recording" in message
    assert found.confidence is not None
    assert before.confidence is not None
    assert found.confidence < before.confidence
    assert max(found.shares) == max(before.shares)
    assert (before.unfamiliarity, codes(before)) == (None, [])


def test_adapted_scores_are_not_lowered(predictor: Predictor, unaware: Predictor) -> None:
    found, before = (one.predict((talk(STRANGE), RATE), adapt="recording") for one in (predictor, unaware))
    assert found.scores == before.scores
    assert found.plain_scores == before.plain_scores
    assert "unfamiliar" in codes(found)


def test_a_stream_says_the_same(predictor: Predictor) -> None:
    stream = predictor.stream()
    events = [*stream.feed(talk(STRANGE)), *stream.flush()]
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    result = predictor.predict((talk(STRANGE), RATE))
    assert ended[-1].unfamiliarity == result.unfamiliarity
    for one, other in zip([each for event in ended for each in event.segments], result.segments, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=ROUNDING)
    stream.reset()
    stream.feed(talk(KNOWN))
    again = [event for event in stream.flush() if isinstance(event, SpeechEnded)]
    assert again[-1].unfamiliarity == predictor.predict((talk(KNOWN), RATE)).unfamiliarity


def test_the_farthest_channel_counts(predictor: Predictor) -> None:
    both = np.stack([talk(KNOWN), talk(STRANGE)])
    found = predictor.predict((both, RATE), channels="split")
    assert found.unfamiliarity == predictor.predict((talk(STRANGE), RATE)).unfamiliarity


def test_without_speech_nothing_is_unfamiliar(predictor: Predictor) -> None:
    assert predictor.predict((np.zeros(RATE, np.float32), RATE)).unfamiliarity is None


@pytest.mark.parametrize(
    "wrong", [{"step": 0}, {"slope": -1.0}, {"limits": ()}, {"limits": ((3, 1.0), (1, 1.0))}, {"limits": ((1, 0.0),)}]
)
def test_wrong_numbers_on_a_card_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = knows(tmp_path)
    card = load(str(path)).card
    assert card.trust is not None
    assert card.trust.familiarity is not None
    bad = msgspec.structs.replace(card.trust.familiarity, **wrong)
    path.write_bytes(encode_card(msgspec.structs.replace(card, trust=CardTrust(familiarity=bad))))
    with pytest.raises(CardError, match=r"trust\.familiarity has step"):
        Model.load(resolve(str(path)).with_suffix(".onnx"))
