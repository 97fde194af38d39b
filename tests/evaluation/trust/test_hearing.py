"""Answers that are kept on disk, disks that are full or damaged, and recordings that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from emovox.evaluation.trust.hearing import Hearing, clip_stimulus
from emovox.evaluation.trust.material import make_corpora
from emovox.evaluation.trust.system import ANY, System, SystemAnswer
from emovox.schema.errors import ConfigError, MissingExtraError
from tests.evaluation.trust.conftest import LABELS, SMALL, scores_of


class Asked:
    """A system that counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0
        self.system = System(name="counting", labels=LABELS, digest="0" * 64, hear={ANY: self._hear}, threads=1)

    def opened(self, folder: Path, *, resume: bool = True) -> Hearing:
        return Hearing.opened(self.system, None, seed=0, folder=folder, resume=resume)

    def _hear(self, samples: Samples, rate: int) -> SystemAnswer:
        self.times += 1
        scores = scores_of(samples, rate)
        return SystemAnswer(LABELS[scores.index(max(scores))], tuple(scores), len(samples) / rate)


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (b"\0" * 300, 2),  # zeros have no end: they spoil the next line, too
        (b'{"a": 1}\n', 1),
        (b'["tile", "own"]\n', 1),
        (b"\xff\xfe\n", 1),
        (b'["tile","own","x","loud",null,1.0]\n', 1),
        (b'["tile","own","x","low",[1.0],1.0]\n', 1),
        (b'["tile","own","x","low",[0.5,NaN,0.5],1.0]\n', 1),
    ],
)
def test_damaged_lines_of_a_store_are_asked_again(
    own: Sequence[Clip], tmp_path: Path, damage: bytes, lost: int
) -> None:
    """A computer that lost power leaves zeros; a bad disk leaves anything."""
    asked = Asked()
    items = [clip_stimulus(clip, asked.system) for clip in own[:6]]
    first = asked.opened(tmp_path, resume=False).hear(items, ["tile"])
    (store,) = tmp_path.glob("*.jsonl")
    lines = store.read_bytes().splitlines(keepends=True)
    store.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    again = asked.opened(tmp_path)
    assert len(again.known) == 6 - lost
    assert again.hear(items, ["tile"]) == first
    assert asked.times == 6 + lost
    assert len(asked.opened(tmp_path).known) == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which only Linux has")
def test_a_store_that_cannot_be_written_is_an_error(own: Sequence[Clip], tmp_path: Path) -> None:
    asked = Asked()
    full = replace(asked.opened(tmp_path), store=Path("/dev/full"))
    message = r"/dev: the answers cannot be kept \(No space left on device\), expected a folder that you may write to"
    with pytest.raises(ConfigError, match=message):
        full.hear([clip_stimulus(own[0], asked.system)], ["tile"])


def test_recordings_that_cannot_be_read_are_noted_and_tried_again(own: Sequence[Clip], tmp_path: Path) -> None:
    asked = Asked()
    clips = list(own[:30])
    broken = [msgspec.structs.replace(clip, path=str(tmp_path / "gone.wav")) for clip in clips[:5]]

    def lost(clips: Sequence[Clip]) -> tuple[int, tuple[str, ...]]:
        hearing = asked.opened(tmp_path)
        (corpus,) = make_corpora(asked.system, hearing, {"own": clips}, sizes=SMALL, seed=0)
        assert corpus.predictions is not None
        return int((~corpus.predictions.answered).sum()), hearing.notes

    number, (note,) = lost([*broken, *clips[5:]])
    assert number == 5
    assert note.startswith(f"5 recordings cannot be read, and count as clips without an answer: {tmp_path}")
    assert note.endswith("and 2 more")
    assert lost(clips) == (0, ())  # the recordings have been put back


def test_a_recording_whose_decoder_is_not_installed_cannot_be_read(own: Sequence[Clip]) -> None:
    def missing() -> tuple[Samples, int]:
        raise MissingExtraError("decoding .m4a", "media")

    asked = Asked()
    hearing = Hearing.opened(asked.system, None, seed=0, folder=None, resume=False)
    (found,) = hearing.hear([replace(clip_stimulus(own[0], asked.system), load=missing)], ["tile"]).values()
    assert found == SystemAnswer(None, None, 0.0)
    assert "needs the extra 'media'" in hearing.notes[0]
