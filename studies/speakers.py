"""Measure the speaker turns on made conversations: the tables of docs/speakers.md.

    EMOVOX_CORPORA=… EMOVOX_NOISE=… python -m studies.speakers [--draws 4] [--choose]

The speakers of a conversation are of one corpus, so that nothing but the voice tells them apart. Windows, threshold and
costs were chosen on `CHOOSING` (`--choose` prints its tables); the tables are of the speakers of `REPORTED`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emovox.audio.types import Samples
from emovox.corpora.load import load_clips
from emovox.evaluation.report.document import Table, to_markdown
from emovox.runtime.segmenter import SegmenterConfig, cut_tiles
from emovox.runtime.speakers import Turn, cuts_of, find_pieces, label_turns, speaker_at
from studies.conversations import Conversation, Spoken, Style, by_speaker, converse
from studies.sounds import RATE, noise_clips
from studies.turn_errors import Errors, errors_of, pairs_right

FIRST_HALF = tuple(f"{number:02d}" for number in range(1, 13))
"""Speakers of RAVDESS on which the choices were made."""

CHOOSING, REPORTED = ("ravdess", "nemo"), ("ravdess", "emodb", "casia", "emovo", "tess")

STYLES = {
    "all moods": Style(),
    "neutral and calm": Style(moods=("neutral", "calm")),
    "angry": Style(moods=("angry",)),
    "one clip a turn, pauses up to 0.3 s": Style(clips=(1, 1), pause=(0.0, 0.3)),
    "overlaps of up to 1 s": Style(pause=(-1.0, 0.0)),
    "noise, 20 dB": Style(snr_db=20.0),
    "noise, 10 dB": Style(snr_db=10.0),
}
MANY = ("all moods", "neutral and calm", "noise, 20 dB")
"""Styles with one, three and four speakers; all have two."""

VOICELESS = ("Rain", "Sea waves", "Helicopter", "Fire crackling", "Chainsaw")
"""Classes of ESC-10 without a voice or a creature."""

COLLARS = (0.25, 0.0)


@dataclass(frozen=True)
class Measured:
    """What was measured on one conversation.

    Attributes:
        corpus: of the speakers.
        style: key of `STYLES`.
        sexes: of the speakers.
        errors: for each collar, with the number of speakers given.
        errors_auto: the same, with the number found.
        pairs: shares of pairs of segments of one speaker kept together, and of two told apart; number given.
        found: number of speakers found.
        tiles: number of segments, and without cuts at turns.
        uncut: errors where tiles are not cut at turns.
    """

    corpus: str
    style: str
    sexes: tuple[str, ...]
    errors: tuple[Errors, ...]
    errors_auto: tuple[Errors, ...]
    pairs: tuple[float, float]
    found: int
    tiles: tuple[int, int]
    uncut: tuple[Errors, ...]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4, help="conversations of a corpus, style and number of speakers")
    parser.add_argument("--choose", action="store_true")
    arguments = parser.parse_args()
    measured = list(measure(choosing=arguments.choose, draws=arguments.draws))
    sys.stdout.write(to_markdown("Speaker turns", [two_voices(measured), by_corpus(measured), by_number(measured)]))


def measure(*, choosing: bool, draws: int) -> Iterator[Measured]:
    """Make conversations and measure each."""
    noises = [
        samples
        for name in ("esc10", "speechbrain_noise")
        for kind, samples in noise_clips(Path(os.environ["EMOVOX_NOISE"]), name)
        if kind in (*VOICELESS, "speechbrain_noise")
    ]
    rng = np.random.default_rng(0 if choosing else 1)
    for corpus in CHOOSING if choosing else REPORTED:
        voices = by_speaker(load_clips([corpus]))
        if corpus == "ravdess":
            voices = {name: clips for name, clips in voices.items() if (name in FIRST_HALF) == choosing}
        for count in range(1, min(4, len(voices)) + 1):
            for style in STYLES if count == 2 else MANY:
                for _ in range(draws):
                    names = rng.choice(sorted(voices), count, replace=False)
                    made = converse([voices[name] for name in names], STYLES[style], rng, noises=noises)
                    yield measure_one(made, corpus=corpus, style=style)
        sys.stderr.write(f"{corpus}: done\n")


def measure_one(made: Conversation, *, corpus: str, style: str) -> Measured:
    """Measure one conversation, with the number of speakers given and found."""
    pieces = find_pieces([made.samples[None]], channels=1, config=SegmenterConfig())
    (given,) = label_turns(pieces, channels=1, speakers=len(made.sexes))
    (found,) = label_turns(pieces, channels=1, speakers=None)
    segments = segments_of(made.samples, given)
    uncut = segments_of(made.samples, given, cut=False)
    return Measured(
        corpus=corpus,
        style=style,
        sexes=made.sexes,
        errors=_errors(made.spoken, segments),
        errors_auto=_errors(made.spoken, segments_of(made.samples, found)),
        pairs=pairs_right(made.spoken, segments),
        found=len({turn.speaker for turn in found}),
        tiles=(len(segments), len(uncut)),
        uncut=_errors(made.spoken, uncut),
    )


def segments_of(samples: Samples, turns: Sequence[Turn], *, cut: bool = True) -> list[Spoken]:
    """Return the segments of a recording with their speakers, as `predict` makes them."""
    tiles = cut_tiles([samples], cuts=cuts_of(turns) if cut else ())
    return [(tile.start / RATE, tile.end / RATE, speaker_at(turns, tile.start, tile.end)) for tile in tiles]


def two_voices(measured: Sequence[Measured]) -> Table:
    """Return the table of two voices in all styles."""
    rows = []
    for style in STYLES:
        own = [one for one in measured if one.style == style and len(one.sexes) == 2]
        wide, strict = (_sum(one.errors[place] for one in own) for place in (0, 1))
        auto = _sum(one.errors_auto[0] for one in own)
        kept, apart = (np.nanmean([one.pairs[place] for one in own]) for place in (0, 1))
        right = np.mean([one.found == 2 for one in own])
        shares = (wide.rate, wide.confusion, strict.rate, kept, apart, auto.rate, right)
        rows.append((style, *(f"{100 * share:.1f}" for share in shares)))
    head = ("two voices", "DER", "confusion", "DER, no collar", "kept together", "told apart", "DER, auto", "2 found")
    return Table(head, tuple(rows))


def by_corpus(measured: Sequence[Measured]) -> Table:
    """Return the table of two voices of all moods, by corpus and sex, with what cutting at turns is worth."""
    own = [one for one in measured if one.style == "all moods" and len(one.sexes) == 2]
    groups = {
        corpus: [one for one in own if one.corpus == corpus] for corpus in dict.fromkeys(one.corpus for one in own)
    }
    groups["one sex"] = [one for one in own if len(set(one.sexes)) == 1]
    groups["both sexes"] = [one for one in own if len(set(one.sexes)) == 2]
    groups["one clip a turn, pauses up to 0.3 s"] = [one for one in measured if one.style.startswith("one clip")]
    rows = []
    for name, group in groups.items():
        if not group:
            continue
        shares = [_sum(one.errors[0] for one in group).rate, _sum(one.uncut[0] for one in group).rate]
        more = sum(one.tiles[0] for one in group) / sum(one.tiles[1] for one in group) - 1
        rows.append((name, str(len(group)), *(f"{100 * share:.1f}" for share in (*shares, more))))
    return Table(("two voices, all moods", "conversations", "DER", "DER, tiles not cut", "more tiles [%]"), tuple(rows))


def by_number(measured: Sequence[Measured]) -> Table:
    """Return the table of one to four voices, with the numbers that were found."""
    rows = []
    for style in MANY:
        for count in range(1, 5):
            own = [one for one in measured if one.style == style and len(one.sexes) == count]
            if own:
                counts = Counter(one.found for one in own)
                found = ", ".join(f"{number}: {counts[number]}" for number in sorted(counts))
                shares = [_sum(one.errors[0] for one in own).rate, _sum(one.errors_auto[0] for one in own).rate]
                rows.append((style, str(count), *(f"{100 * share:.1f}" for share in shares), found))
    return Table(("style", "voices", "DER", "DER, auto", "number found: conversations"), tuple(rows))


def _errors(spoken: Sequence[Spoken], segments: Sequence[Spoken]) -> tuple[Errors, ...]:
    return tuple(errors_of(spoken, segments, collar=collar) for collar in COLLARS)


def _sum(errors: Iterable[Errors]) -> Errors:
    return sum(errors, Errors())


if __name__ == "__main__":
    main()
