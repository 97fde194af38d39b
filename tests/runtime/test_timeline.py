from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emovox.runtime.timeline import label_of, make_segment, mean_scores, speech_shares, summarise
from emovox.schema.result import Notice, Segment

LABELS = ("sad", "happy", "angry")
SUM_TOLERANCE = 1e-9


def segment(start: float, end: float, scores: tuple[float, float, float], *, channel: int = 0) -> Segment:
    return make_segment(
        np.array(scores, np.float32), labels=LABELS, start=start, end=end, channel=channel, threshold=0.5
    )


segments_strategy = st.lists(
    st.builds(
        lambda start, length, a, b: segment(start, start + length, (a, b * (1 - a), (1 - b) * (1 - a))),
        st.floats(0, 1000),
        st.floats(0.3, 4.5),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=8,
)


def test_segment_rounds_times_and_names_scores() -> None:
    found = segment(1 / 3, 2.0004, (0.25, 0.75, 0.0))
    assert found == Segment(0.333, 2.0, 0, "happy", 0.75, {"sad": 0.25, "happy": 0.75, "angry": 0.0})


def test_segment_below_the_threshold_has_no_label_but_scores() -> None:
    found = segment(0, 1, (0.375, 0.375, 0.25))
    assert found.label is None
    assert found.confidence == 0.375
    assert found.scores["sad"] == 0.375


def test_threshold_itself_is_enough() -> None:
    assert label_of({"sad": 0.5, "happy": 0.5}, threshold=0.5) == "sad"


def test_wrong_number_of_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        make_segment(np.ones(2, np.float32), labels=LABELS, start=0, end=1, channel=0, threshold=0)


@given(segments_strategy)
def test_means_and_shares_add_up_to_one(segments: list[Segment]) -> None:
    assert sum(mean_scores(segments).values()) == pytest.approx(1, abs=1e-6)
    assert sum(speech_shares(segments).values()) == pytest.approx(1, abs=SUM_TOLERANCE)
    assert list(speech_shares(segments).values()) == sorted(speech_shares(segments).values(), reverse=True)


@given(segments_strategy)
def test_order_of_segments_does_not_matter(segments: list[Segment]) -> None:
    forward, backward = (
        summarise("a", duration=2000.0, segments=order, threshold=0.5) for order in (segments, segments[::-1])
    )
    assert forward.scores == pytest.approx(backward.scores, abs=SUM_TOLERANCE)
    assert [s.start for s in forward.segments] == sorted(s.start for s in segments)


def test_long_segments_weigh_more() -> None:
    result = summarise(
        "a.wav",
        duration=5.0,
        segments=[segment(3.0, 4.0, (0, 0, 1)), segment(0.0, 3.0, (0, 1, 0))],
        notices=[Notice("clipped", "c")],
        threshold=0.5,
    )
    assert result.scores == {"sad": 0, "happy": 0.75, "angry": 0.25}
    assert (result.label, result.confidence, result.shares) == ("happy", 0.75, {"happy": 0.75, "angry": 0.25})
    assert [(s.start, s.label) for s in result.segments] == [(0.0, "happy"), (3.0, "angry")]
    assert [notice.code for notice in result.warnings] == ["clipped"]


def test_below_the_threshold_the_label_is_withheld_and_the_rest_given() -> None:
    parts = [segment(0.0, 1.0, (0, 1, 0)), segment(1.0, 2.0, (0, 0, 1))]
    result = summarise("a.wav", duration=2.0, segments=parts, threshold=0.6)
    assert result.label is None
    assert (result.confidence, result.scores) == (0.5, {"sad": 0, "happy": 0.5, "angry": 0.5})
    assert result.shares == {"happy": 0.5, "angry": 0.5}
    assert [notice.code for notice in result.warnings] == ["uncertain"]
    assert "0.50 for 'happy', is below the threshold 0.60" in result.warnings[0].message


def test_no_speech_is_a_warning() -> None:
    result = summarise("a.wav", duration=2.0, segments=[], threshold=0.0)
    assert (result.label, result.confidence, result.scores, result.shares, result.segments) == (
        None,
        None,
        None,
        {},
        (),
    )
    assert [notice.code for notice in result.warnings] == ["no_speech"]


def test_too_short_is_a_warning_with_and_without_speech() -> None:
    empty = summarise("a.wav", duration=0.01, segments=[], threshold=0.0)
    assert [(n.code, n.message) for n in empty.warnings] == [
        ("too_short", "lasts 0.010 s, expected at least 0.3 s of speech")
    ]
    spoken = summarise("a.wav", duration=0.29, segments=[segment(0, 0.29, (1, 0, 0))], threshold=0.0)
    assert spoken.label == "sad"
    assert [notice.code for notice in spoken.warnings] == ["too_short"]
