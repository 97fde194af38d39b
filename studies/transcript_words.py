"""Measure whether words get the emotion of the speech at their time: the table of docs/transcripts.md.

    python -m studies.transcript_words [--calls 3]

A call is made of utterances in one of two pitches, with pauses between. A toy model hears the pitch, without error.
Each utterance consists of words at known times. The transcript has a line for each word, so a word is right if the
label of its line is the pitch of its utterance. Wrong times of segments, or a format that shifts the sound, make words
wrong.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from emovox.audio.types import Samples
from emovox.evaluation.report.document import Table, to_markdown
from emovox.fusion.alignment import spoken_lines
from emovox.fusion.transcript import Line
from emovox.runtime.predictor import Predictor, load
from emovox.testing import RATE, speech, write_toy

PITCHES = {"low": 120.0, "high": 500.0}
"""Label of an utterance and its pitch in Hz."""

WORD = 0.25
"""Seconds of a word: one syllable of the made voice."""

FORMS = {
    "wav, 16 kHz": (RATE, "WAV", "PCM_16"),
    "flac, 44.1 kHz": (44100, "FLAC", "PCM_16"),
    "wav, 8 kHz, µ-law": (8000, "WAV", "ULAW"),
    "mp3, 44.1 kHz": (44100, "MP3", "MPEG_LAYER_III"),
    "ogg, Opus, 48 kHz": (48000, "OGG", "OPUS"),
}
PAUSES = ((0.8, 2.0), (0.3, 0.8))
"""Seconds between two utterances, least and most."""


def made_call(rng: np.random.Generator, *, utterances: int, pause: tuple[float, float]) -> tuple[Samples, list[Line]]:
    """Return a call [n] at 16 kHz, and its words in order; the `speaker` of a word is the label that it should get.

    Args:
        rng: source of lengths and pitches.
        utterances: their number, 2 to 32 words each.
        pause: seconds between two of them, least and most.
    """
    parts: list[Samples] = []
    words: list[Line] = []
    now = 0.0
    for number in range(utterances):
        gap = round(rng.uniform(*pause) * RATE)
        label = str(rng.choice(list(PITCHES)))
        count = int(rng.integers(2, 33))
        voice = speech(PITCHES[label], seconds=count * WORD, seed=number)
        parts += [np.zeros(gap, np.float32), voice]
        now += gap / RATE
        words += [Line(now + i * WORD, now + (i + 1) * WORD, f"word {i}", label) for i in range(count)]
        now += voice.size / RATE
    return np.concatenate([*parts, np.zeros(RATE, np.float32)]), words


def right_words(predictor: Predictor, recording: bytes, words: list[Line]) -> int:
    """Return how many words get the label that they should."""
    lines = spoken_lines(predictor.predict(recording), words, threshold=0.0)
    return sum(line.label == line.speaker for line in lines)


def encoded(call: Samples, rate: int, form: str, subtype: str) -> bytes:
    """Return a call [n] at 16 kHz as a file of another rate and format."""
    file = io.BytesIO()
    soundfile.write(file, soxr.resample(call, RATE, rate), rate, format=form, subtype=subtype)
    return file.getvalue()


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=3, help="number of calls, of 20 utterances each")
    calls = parser.parse_args(arguments).calls
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        predictor = load(str(write_toy(Path(folder), labels=tuple(PITCHES))))
        for name, form in FORMS.items():
            cells = [name]
            for pause in PAUSES:
                made = [made_call(np.random.default_rng(i), utterances=20, pause=pause) for i in range(calls)]
                right = sum(right_words(predictor, encoded(call, *form), words) for call, words in made)
                total = sum(len(words) for _, words in made)
                cells += [str(total), f"{100 * right / total:.2f}"]
            rows.append(tuple(cells))
    heads = [cell for low, high in PAUSES for cell in (f"words, pauses of {low} to {high} s", "right [%]")]
    sys.stdout.write(to_markdown("Words", [Table(("form", *heads), tuple(rows))]))


if __name__ == "__main__":
    main()
