from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from emovox.runtime.predictor import Predictor, load
from emovox.runtime.registry import read_card
from emovox.schema.card import ModelCard, decode_card, embedded_card, encode_card
from emovox.schema.errors import CardError, ConfigError, NoSetsError
from emovox.schema.events import EmotionUpdated, SpeechEnded, SpeechStarted
from emovox.schema.label_sets import event_with_sets, label_set, sets_of, with_sets
from emovox.schema.trust import CardSets, CardTrust
from emovox.testing import RATE, speech, write_toy
from tests.schema.rows import RESULT, SILENT


def sets(coverage: int = 90, least: float = 0.3) -> CardSets:
    return CardSets(coverage=coverage, least=least, mean=90.1, worst=80.0, size=1.5, speakers=20)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without sharp scores, whose card promises 80 and 90 %."""
    trust = CardTrust(sets=(sets(80, 0.4), sets(90, 0.1)))
    return write_toy(tmp_path_factory.mktemp("toy"), sharpness=0.5, trust=trust)


@pytest.fixture(scope="module")
def predictor(toy: Path) -> Predictor:
    return load(str(toy))


def test_a_set_has_the_labels_at_the_bound_and_always_the_best() -> None:
    scores = {"neutral": 0.3, "sad": 0.5, "angry": 0.2}
    assert label_set(scores, 0.3) == ("sad", "neutral")
    assert label_set(scores, 0.0) == ("sad", "neutral", "angry")
    assert label_set(scores, 0.9) == ("sad",)


def test_a_result_without_speech_has_no_set() -> None:
    assert with_sets(SILENT, sets()).label_set is None
    found = with_sets(RESULT, sets())
    assert found.coverage == 90
    assert found.label_set == label_set(RESULT.scores or {}, 0.3)
    assert [one.label_set for one in found.segments] == [label_set(one.scores, 0.3) for one in RESULT.segments]


def test_events_have_sets() -> None:
    begun = SpeechStarted(0, 0, 0.5)
    assert event_with_sets(begun, sets()) is begun
    scores = {"sad": 0.6, "happy": 0.4}
    update = event_with_sets(EmotionUpdated(0, 0, 0.0, 1.0, "sad", 0.6, scores), sets())
    assert isinstance(update, EmotionUpdated)
    assert update.label_set == ("sad", "happy")
    ended = event_with_sets(SpeechEnded(0, 0, 0.0, 1.0, "sad", 0.6, scores, RESULT.segments), sets(least=0.5))
    assert isinstance(ended, SpeechEnded)
    assert (ended.label_set, ended.segments[0].label_set) == (("sad",), label_set(RESULT.segments[0].scores, 0.5))


def test_a_larger_promise_gives_larger_sets(predictor: Predictor) -> None:
    call = (speech(400.0, seconds=4.0), RATE)
    plain, low, high = (predictor.predict(call, coverage=coverage) for coverage in (None, 80, 90))
    assert (plain.label_set, plain.coverage, plain.segments[0].label_set) == (None, None, None)
    assert set(low.label_set or ()) < set(high.label_set or ())
    assert low.scores == plain.scores
    assert (low.segments[0].label_set or ())[0] == plain.segments[0].label


def test_a_stream_gives_the_sets_of_the_recording(predictor: Predictor) -> None:
    call = speech(400.0, seconds=4.0)
    stream = predictor.stream(coverage=90)
    events = stream.feed(call) + stream.flush()
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    segments = [segment.label_set for event in ended for segment in event.segments]
    assert segments == [one.label_set for one in predictor.predict((call, RATE), coverage=90).segments]
    assert all(event.label_set for event in events if isinstance(event, EmotionUpdated))


@pytest.mark.parametrize(
    ("asked", "message"),
    [(70, "coverage is 70, expected a percentage on the card of 'toy': 80, 90"), ("much", "expected a whole number")],
)
def test_a_promise_that_is_not_on_the_card_is_refused(predictor: Predictor, asked: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        predictor.predict((speech(400.0, seconds=1.0), RATE), coverage=asked)
    with pytest.raises(ConfigError, match=message):
        predictor.stream(coverage=asked)


def test_a_model_without_sets_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoSetsError, match=r"model 'toy' has no sets of labels, expected 'trust\.sets' on its card"):
        sets_of(read_card(write_toy(tmp_path)), 90)


def test_trust_is_beside_the_graph_alone(toy: Path) -> None:
    """So it can be measured again for a graph that is finished."""
    card = read_card(toy)
    again = msgspec.structs.replace(card, trust=CardTrust(sets=(sets(90, 0.2),)))
    assert embedded_card(card) == embedded_card(again)
    assert decode_card(encode_card(again), where="a.json") == again
    toy.write_bytes(encode_card(again))
    assert load(str(toy)).card.trust == again.trust
    toy.write_bytes(encode_card(card))


@pytest.mark.parametrize("wrong", [{"least": 1.5}, {"coverage": 100}, {"coverage": 0}])
def test_wrong_trust_is_refused(toy: Path, wrong: dict[str, Any]) -> None:
    card: ModelCard = read_card(toy)
    bad = msgspec.structs.replace(card, trust=CardTrust(sets=(msgspec.structs.replace(sets(), **wrong),)))
    with pytest.raises(CardError, match=r"a\.json: trust\.sets has coverage"):
        decode_card(encode_card(bad), where="a.json")
