from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from emovox.evaluation.report.colours import EMOTION_COLOURS, colours_of
from emovox.evaluation.report.style import png_of
from emovox.evaluation.report.timeline import timeline_figure, write_timeline
from emovox.schema.labels import EMOTIONS
from emovox.schema.result import Result, Segment
from tests.evaluation.pictures import assert_drawn, has_colour, texts


class Outline(TypedDict):
    time: npt.NDArray[np.float32]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]


def outline(seconds: float) -> Outline:
    high = np.abs(np.random.default_rng(0).normal(scale=0.1, size=500)).astype(np.float32)
    return {"time": np.linspace(0, seconds, 500, dtype=np.float32), "low": -high, "high": high}


def segment(start: float, end: float, label: str, labels: tuple[str, ...], *, channel: int = 0) -> Segment:
    scores = {name: 0.7 if name == label else 0.3 / (len(labels) - 1) for name in labels}
    return Segment(start, end, channel, label, 0.7, scores)


def result(*segments: Segment, seconds: float, file: str = "call.wav", label: str | None = "sad") -> Result:
    scores = segments[0].scores if segments else None
    return Result(file, seconds, label, 0.7 if scores else None, scores, {}, (), segments)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    "labels", [("no", "yes"), EMOTIONS, ("悲伤", "zażółć", *(f"l{i}" for i in range(18)))], ids=len
)
def test_two_to_twenty_labels(tmp_path: Path, labels: tuple[str, ...]) -> None:
    made = result(
        segment(0.5, 3, labels[0], labels), segment(3, 6, labels[-1], labels), seconds=7, file="客服 zażółć.wav"
    )
    path = tmp_path / "out" / "timeline.png"
    write_timeline(path, made, **outline(7), labels=labels)
    png = path.read_bytes()
    assert_drawn(png, width=1000, height=300)
    colours = colours_of(labels)
    assert has_colour(png, colours[labels[0]])
    assert has_colour(png, colours[labels[-1]])


def test_it_names_file_duration_verdict_and_labels() -> None:
    figure = timeline_figure(result(segment(0, 4, "sad", EMOTIONS), seconds=5), **outline(5))
    written = texts(figure)
    assert "call.wav  ·  5.00 s\nsad (70 %)" in written
    assert {"time [s]", "amplitude", "score [%]", "sad", *EMOTIONS} <= written


def test_segments_lie_where_they_were_said() -> None:
    made = result(segment(1, 2, "sad", EMOTIONS), segment(3, 5, "fear", EMOTIONS), seconds=6)
    _, track, scores = timeline_figure(made, **outline(6)).axes
    spans = [path.get_extents().intervalx.tolist() for path in track.collections[0].get_paths()]
    assert spans == [[1, 2], [3, 5]]
    # Boxes of the scores are stacked: the top of the last label is 1, the height of the winner 0.7.
    boxes = {
        label: [path.get_extents() for path in collection.get_paths()]
        for label, collection in zip(EMOTIONS, scores.collections, strict=True)
    }
    assert boxes["sad"][0].height == pytest.approx(0.7)
    assert boxes["fear"][1].height == pytest.approx(0.7)
    assert boxes["surprise"][0].y1 == pytest.approx(1)


def test_each_speaker_has_a_track() -> None:
    spoken = [
        msgspec.structs.replace(segment(at, at + 1, "sad", EMOTIONS), speaker=speaker)
        for at, speaker in enumerate((0, 1, 0))
    ]
    figure = timeline_figure(result(*spoken, seconds=4), **outline(4))
    _, track, _ = figure.axes
    spans = [[path.get_extents().intervalx.tolist() for path in own.get_paths()] for own in track.collections]
    assert spans == [[[0, 1], [2, 3]], [[1, 2]]]
    assert {"speaker 1", "speaker 2"} <= texts(figure)


def test_each_channel_has_a_track_and_a_panel() -> None:
    made = result(segment(0, 4, "sad", EMOTIONS), segment(2, 5, "angry", EMOTIONS, channel=1), seconds=6, label="sad")
    figure = timeline_figure(made, **outline(6))
    assert len(figure.axes) == 4
    assert {"channel 0", "channel 1", "channel 0\nscore [%]", "channel 1\nscore [%]"} <= texts(figure)


def test_uncertain_segments_are_grey_and_named() -> None:
    doubtful = segment(0, 4, "sad", EMOTIONS)
    doubtful = Segment(0, 4, 0, None, 0.7, doubtful.scores)
    figure = timeline_figure(result(doubtful, seconds=5, label=None), **outline(5))
    assert {"uncertain", "?", "call.wav  ·  5.00 s\nuncertain, perhaps sad (70 %)"} <= texts(figure)


def test_without_speech_it_says_so() -> None:
    figure = timeline_figure(result(seconds=3, label=None), **outline(3))
    assert {"no speech found", "call.wav  ·  3.00 s\nno speech found"} <= texts(figure)
    assert_drawn(png_of(figure))


def test_a_recording_without_an_outline_can_be_drawn() -> None:
    nothing = np.zeros(0, np.float32)
    figure = timeline_figure(result(seconds=0.0, label=None), time=nothing, low=nothing, high=nothing)
    assert_drawn(png_of(figure))


def test_two_hours_are_averaged_into_columns_that_can_be_seen() -> None:
    segments = [segment(3.0 * i, 3.0 * i + 2.9, "sad" if i < 1200 else "happy", EMOTIONS) for i in range(2400)]
    figure = timeline_figure(result(*segments, seconds=7200, file="x" * 200 + ".wav"), **outline(7200))
    _, track, scores = figure.axes
    assert len(track.collections[0].get_paths()) == len(scores.collections[0].get_paths()) == 250
    written = texts(figure)
    assert "time [h:min:s]" in written
    assert max(len(text.split("\n")[0]) for text in written) < 100
    png = png_of(figure)
    assert_drawn(png)
    assert has_colour(png, EMOTION_COLOURS["sad"])
    assert has_colour(png, EMOTION_COLOURS["happy"])


def test_it_needs_no_more_than_matplotlib() -> None:
    heavy = "{'sklearn', 'scipy', 'torch', 'numba'}"
    code = f"import sys, emovox.evaluation.report.timeline; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_each_modality_has_a_row() -> None:
    angry = segment(0, 4, "angry", EMOTIONS).scores
    spoken = segment(0, 4, "sad", EMOTIONS)
    both = msgspec.structs.replace(spoken, modalities={"voice": spoken.scores, "face": angry})
    voice = msgspec.structs.replace(segment(4, 8, "happy", EMOTIONS), modalities={"voice": angry})
    made = msgspec.structs.replace(result(both, voice, seconds=9), modalities={"voice": spoken.scores, "face": angry})
    axes = timeline_figure(made, **outline(9)).axes[1]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["emotion", "voice", "face"]
    named = [(round(text.get_position()[1]), text.get_text()) for text in axes.texts]
    assert named == [(0, "sad"), (0, "happy"), (1, "sad"), (1, "angry"), (2, "angry")]
    many = [msgspec.structs.replace(both, start=float(n), end=n + 1.0) for n in range(600)]
    long = msgspec.structs.replace(made, segments=tuple(many), duration=600.0)
    ticks = timeline_figure(long, **outline(600)).axes[1].get_yticklabels()
    assert [tick.get_text() for tick in ticks] == ["emotion", "voice", "face"]
