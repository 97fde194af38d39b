from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from emovox.fusion.modalities import VOICE_ALONE, OtherModality, fused, parse_modalities
from emovox.runtime.timeline import summarise
from emovox.schema.errors import ConfigError
from emovox.schema.result import Notice, Segment

SAD, HAPPY = {"sad": 0.6, "happy": 0.4}, {"sad": 0.2, "happy": 0.8}
SEGMENTS = (Segment(0.0, 1.0, 0, "sad", 0.6, SAD), Segment(1.0, 4.0, 0, "sad", 0.6, SAD))
RESULT = summarise("a.mp4", duration=5.0, segments=SEGMENTS, notices=(Notice("clipped", "…"),), threshold=0.5)


def face(second: float | None = 0.0, *, weight: float = 1.0, scores: dict[str, float] = HAPPY) -> OtherModality:
    """A face that only the segment that starts at `second` has."""
    return OtherModality("face", weight, lambda s: scores if s.start == second else None, (Notice("face_rare", "…"),))


def test_logarithms_of_the_scores_are_added() -> None:
    result = fused(RESULT, [face(weight=0.5)], threshold=0.5)
    first, second = result.segments
    happy, sad = 0.4 * 0.8**0.5, 0.6 * 0.2**0.5
    assert first.scores == pytest.approx({"sad": sad / (sad + happy), "happy": happy / (sad + happy)})
    assert (first.label, first.confidence) == ("happy", first.scores["happy"])
    assert first.modalities == {"voice": SAD, "face": HAPPY}
    assert second == replace(SEGMENTS[1], modalities={"voice": SAD})
    assert result.modalities == {"voice": pytest.approx(SAD), "face": HAPPY}
    assert result.scores == pytest.approx({k: (first.scores[k] + 3 * SAD[k]) / 4 for k in SAD})
    assert result.shares == {"sad": 0.75, "happy": 0.25}
    assert [notice.code for notice in result.warnings] == ["clipped", "face_rare"]


def test_without_the_face_the_result_is_that_of_the_voice_bit_for_bit() -> None:
    result = fused(RESULT, [face(None)], threshold=0.5)
    plain = [replace(segment, modalities=None) for segment in result.segments]
    assert replace(result, modalities=None, segments=tuple(plain), warnings=RESULT.warnings) == RESULT
    assert result.modalities == {"voice": RESULT.scores}


def test_the_whole_is_unsure_again_below_the_threshold() -> None:
    before = summarise("a", duration=5.0, segments=SEGMENTS, threshold=0.9)
    result = fused(before, [face()], threshold=0.9)
    assert [notice.code for notice in result.warnings] == ["face_rare", "uncertain"]
    sure = fused(before, [OtherModality("face", 9.0, lambda _: HAPPY)], threshold=0.9)
    assert (sure.label, sure.warnings) == ("happy", ())


def test_a_score_of_0_does_not_rule_out_all() -> None:
    result = fused(RESULT, [face(scores={"sad": 0.0, "happy": 1.0})], threshold=0.5)
    assert result.segments[0].scores["happy"] > 0.99
    assert np.isfinite(list(result.segments[0].scores.values())).all()


def test_a_model_with_fewer_labels_takes_those_and_one_with_others_is_refused() -> None:
    more = {"sad": 0.1, "happy": 0.4, "angry": 0.5}
    assert (fused(RESULT, [face(scores=more)], threshold=0.5).segments[0].modalities or {})["face"] == {
        "sad": pytest.approx(0.2),
        "happy": pytest.approx(0.8),
    }
    with pytest.raises(ConfigError, match="the face knows the labels happy, the model also has sad; take"):
        fused(RESULT, [face(scores={"happy": 1.0})], threshold=0.5)


def test_no_speech_stays_no_speech() -> None:
    silent = summarise("a", duration=5.0, segments=(), threshold=0.5)
    assert fused(silent, [face()], threshold=0.5).label is None
    assert fused(silent, [face()], threshold=0.5).modalities is None


@pytest.mark.parametrize(
    "text", ["", "face", "voice,nose", "voice;face", "voice=1", "voice,face=much", "voice,face=-1", "voice,face=inf"]
)
def test_unknown_modalities(text: str) -> None:
    with pytest.raises(ConfigError, match=f"got the modalities '{text}', expected voice, or voice and some of face"):
        parse_modalities(text)


def test_a_long_list_is_not_repeated_whole() -> None:
    with pytest.raises(ConfigError) as found:
        parse_modalities("voice," * 5000)
    assert len(str(found.value)) < 250


def test_modalities_are_given_in_any_order() -> None:
    assert list(parse_modalities("face, voice").items()) == [("voice", None), ("face", None)]
    assert parse_modalities("voice") == dict(VOICE_ALONE)


def test_a_modality_may_have_a_weight() -> None:
    assert parse_modalities("voice,text=0.3,face=0") == {"voice": None, "face": 0.0, "text": 0.3}
    other = face(weight=0.5)
    assert (other.weighing(2.0).weight, other.weighing(None)) == (2.0, other)
