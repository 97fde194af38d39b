"""Speaker turns on a recording: who speaks when, by the voices in windows of the speech.

Windows of 1.6 s, one every 0.4 s of speech, become embeddings; these are grouped by speaker. Each step of 0.4 s gets
the speaker that the windows over it resemble most, with a small cost for each change. Only the embeddings are kept:
1 kB per window, so three hours of speech take 27 MB.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from emovox.audio.types import Samples
from emovox.runtime.clusters import Numbers, by_appearance, group, unit_means
from emovox.runtime.segmenter import Segmenter, SegmenterConfig, SegmenterEvent
from emovox.runtime.tiles import Tile, extend
from emovox.runtime.voice_encoder import RATE, embed
from emovox.schema.arguments import whole
from emovox.schema.errors import ConfigError

MOST_SPEAKERS = 20
"""Largest number of speakers that may be given."""

WINDOW, HOP = 1.6, 0.4
"""Length of a window and step between two in seconds; the encoder was trained on 1.6 s."""

LONGEST_PIECE = 24.0
"""Seconds of a region that are cut into windows at once."""

CHANGE_COST = 0.1
"""Cost of a change of speaker between two steps, in units of the cosine of a step."""

SpeakerCount = int | Literal["auto"]
"""A number of speakers, or "auto" to find it."""


class Turn(NamedTuple):
    """A stretch of speech of one speaker: samples [start, end) of the channel; speakers count from 0."""

    start: int
    end: int
    speaker: int


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """A stretch of speech without a pause, with the embeddings of its windows.

    Attributes:
        channel: index of the channel.
        bounds: [steps + 1] samples; the speech begins at the first bound and ends at the last one.
        voices: [windows, 256] float32; window k covers the steps k to k + steps - windows.
    """

    channel: int
    bounds: npt.NDArray[np.intp]
    voices: Samples

    @property
    def covered(self) -> int:
        """Number of steps that a window covers."""
        return len(self.bounds) - len(self.voices)


def speaker_count(value: object) -> int | None:
    """Return a number of speakers that a caller gave, or None for "auto".

    Raises:
        ConfigError: it is neither "auto" nor a whole number from 1 to `MOST_SPEAKERS`.

    >>> speaker_count("auto"), speaker_count("2")
    (None, 2)
    """
    if value == "auto":
        return None
    expected = f"expected 1 to {MOST_SPEAKERS}, or auto"
    try:
        count = whole(value, "speakers")
    except ConfigError as error:
        raise ConfigError(f"speakers is {value!r:.60}, {expected}") from error
    if not 1 <= count <= MOST_SPEAKERS:
        raise ConfigError(f"speakers is {count}, {expected}")
    return count


def find_turns(
    blocks: Iterable[Samples], *, channels: int, speakers: int | None, config: SegmenterConfig, speech_only: bool = True
) -> tuple[tuple[Turn, ...], ...]:
    """Return the turns of each channel of a recording; one voice has one number on all channels.

    Args:
        blocks: the recording as samples [channels, n] float32 in blocks of any length.
        channels: number of channels.
        speakers: number of speakers in the recording, >= 1; None finds it.
        config: sample rate and voice activity detection, as for the tiles.
        speech_only: whether to look for speech; otherwise all audio counts as speech.

    Returns:
        The turns of each channel in order of time; they do not overlap.

    Raises:
        ModelError: the encoder's file is damaged or missing.
    """
    pieces = find_pieces(blocks, channels=channels, config=config, speech_only=speech_only)
    return label_turns(pieces, channels=channels, speakers=speakers)


def find_pieces(
    blocks: Iterable[Samples], *, channels: int, config: SegmenterConfig, speech_only: bool = True
) -> list[Piece]:
    """Return the pieces of speech of a recording with their embeddings; arguments and errors as in `find_turns`."""
    coarse = SegmenterConfig(
        sample_rate=config.sample_rate, window=LONGEST_PIECE, shortest=config.shortest, rounding=HOP, vad=config.vad
    )
    segmenters = [Segmenter(coarse, speech_only=speech_only) for _ in range(channels)]
    pieces: list[Piece] = []
    for block in blocks:
        for channel, segmenter in enumerate(segmenters):
            pieces += _pieces(segmenter.feed(block[channel]), channel, sample_rate=config.sample_rate)
    for channel, segmenter in enumerate(segmenters):
        pieces += _pieces(segmenter.flush(), channel, sample_rate=config.sample_rate)
    return pieces


def label_turns(pieces: Sequence[Piece], *, channels: int, speakers: int | None) -> tuple[tuple[Turn, ...], ...]:
    """Group the voices of all pieces by speaker, and return the turns of each channel; arguments as in `find_turns`."""
    if not pieces:
        return tuple(() for _ in range(channels))
    pieces = sorted(pieces, key=lambda piece: int(piece.bounds[0]))
    full = [piece for piece in pieces if piece.covered == round(WINDOW / HOP)]
    voices = np.concatenate([piece.voices for piece in full or pieces])
    centres = unit_means(voices, np.ones(len(voices)), group(voices, speakers=speakers))
    paths = [best_path(_step_scores(piece.voices @ centres.T, piece.covered), CHANGE_COST) for piece in pieces]
    numbers = np.split(by_appearance(np.concatenate(paths)), np.cumsum([len(path) for path in paths])[:-1])
    turns: list[list[Turn]] = [[] for _ in range(channels)]
    for piece, own in zip(pieces, numbers, strict=True):
        turns[piece.channel] += _turns(piece, own)
    return tuple(map(tuple, turns))


def best_path(scores: npt.NDArray[np.floating], cost: float) -> Numbers:
    """Return the choice of each step with the highest sum of scores, less `cost` for each change (Viterbi's algorithm).

    Args:
        scores: [steps, choices].
        cost: of a change, >= 0.

    >>> best_path(np.array([[1.0, 0.0], [0.4, 0.5], [1.0, 0.0]]), 0.2).tolist()
    [0, 0, 0]
    """
    total, before = scores[0], []
    for row in scores[1:]:
        best = int(total.argmax())
        stays = total >= total[best] - cost
        before.append(np.where(stays, np.arange(len(row)), best))
        total = np.where(stays, total, total[best] - cost) + row
    path = [int(total.argmax())]
    for step in reversed(before):
        path.append(int(step[path[-1]]))
    return np.array(path[::-1])


def speaker_at(turns: Sequence[Turn], start: int, end: int) -> int:
    """Return the speaker with the most of samples [start, end), the nearest one if nobody speaks there.

    Args:
        turns: the turns of a channel in order of time; without any, the answer is 0.
        start: first sample.
        end: sample after the last one.

    >>> speaker_at([Turn(0, 100, 0), Turn(100, 300, 1)], 80, 160)
    1
    """
    first = bisect_right(turns, start, key=lambda turn: turn.end)
    shared: dict[int, int] = {}
    for turn in itertools.takewhile(lambda turn: turn.start < end, itertools.islice(turns, first, None)):
        shared[turn.speaker] = shared.get(turn.speaker, 0) + min(end, turn.end) - max(start, turn.start)
    if shared:
        return max(shared, key=shared.__getitem__)
    around = turns[max(0, first - 1) : first + 1]
    return min(around, key=lambda turn: max(turn.start - end, start - turn.end)).speaker if around else 0


def cuts_of(turns: Sequence[Turn]) -> tuple[int, ...]:
    """Return the samples at which a speaker follows another one without a pause."""
    return tuple(two.start for one, two in pairwise(turns) if one.end == two.start and one.speaker != two.speaker)


def _pieces(events: Iterable[SegmenterEvent], channel: int, *, sample_rate: int) -> list[Piece]:
    return [_piece(event, channel, sample_rate) for event in events if isinstance(event, Tile)]


def _piece(tile: Tile, channel: int, sample_rate: int) -> Piece:
    hop = round(HOP * RATE)
    samples = _at_encoder_rate(tile.samples, sample_rate)
    steps = max(1, round(samples.size / hop))
    length = min(samples.size, round(WINDOW * RATE))
    windows = [samples[first : first + length] for first in range(0, samples.size - length + 1, hop)]
    first, _ = extend(tile.start, tile.end, step=round(HOP * sample_rate))
    bounds = np.round(first + np.arange(steps + 1) * HOP * sample_rate).astype(np.intp).clip(tile.start, tile.end)
    bounds[0], bounds[-1] = tile.start, tile.end
    return Piece(channel, bounds, embed(windows))


def _at_encoder_rate(samples: Samples, sample_rate: int) -> Samples:
    if sample_rate == RATE:
        return samples
    places = np.arange(round(samples.size * RATE / sample_rate)) * (sample_rate / RATE)
    resampled: Samples = np.interp(places, np.arange(samples.size), samples).astype(np.float32)
    return resampled


def _step_scores(scores: npt.NDArray[np.floating], covered: int) -> npt.NDArray[np.float64]:
    """Return the mean score of the windows over each step; a window counts most for the steps in its middle.

    Args:
        scores: [windows, speakers].
        covered: number of steps that a window covers, >= 1.

    Returns:
        Shape [windows + covered - 1, speakers].
    """
    steps = len(scores) + covered - 1
    total, weights = np.zeros((steps, scores.shape[1])), np.zeros((steps, 1))
    for place in range(covered):
        weight = 1 - abs(place + 0.5 - covered / 2) / (covered / 2 + 0.5)
        total[place : place + len(scores)] += weight * scores
        weights[place : place + len(scores)] += weight
    means: npt.NDArray[np.float64] = total / weights
    return means


def _turns(piece: Piece, numbers: Numbers) -> list[Turn]:
    """Return the turns of a piece from the speaker of each of its steps."""
    starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
    return [Turn(int(piece.bounds[one]), int(piece.bounds[two]), int(numbers[one])) for one, two in pairwise(starts)]
