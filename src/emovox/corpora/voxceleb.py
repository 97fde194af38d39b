"""VoxCeleb 1 and 2: who speaks, and no emotion. For pretraining an encoder with the speakers as classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from emovox.corpora.corpus import Corpus
from emovox.corpora.layout import ClipRow, Layout
from emovox.corpora.manifest import Clip
from emovox.schema.errors import ProtocolError


@dataclass(frozen=True, kw_only=True)
class SpeakerCorpus(Corpus):
    """A corpus whose labels are its speakers.

    It has no label table and no protocol of evaluation, and any part of it is a whole: the more speakers the better.

    Attributes:
        published: number of published clips.
    """

    published: int
    labels: dict[str, str | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def clips(self) -> int:
        """Number of published clips."""
        return self.published


def _labelled(row: ClipRow) -> ClipRow:
    return msgspec.structs.replace(row, native=row.speaker)


VOXCELEB = SpeakerCorpus(
    name="voxceleb",
    title="VoxCeleb 1 and 2: interviews with celebrities, for pretraining",
    languages=("mul",),
    licence="CC BY 4.0 for the lists; the recordings belong to the owners of the videos",
    licence_risk="high: cut from YouTube; voices of people who were never asked",
    where="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/ (which points to mirrors); .m4a needs the extra 'media'",
    citation="""@article{nagrani2020voxceleb,
  title = {Voxceleb: Large-scale speaker verification in the wild},
  author = {Nagrani, Arsha and Chung, Joon Son and Xie, Weidi and Zisserman, Andrew},
  journal = {Computer Speech \\& Language}, volume = {60}, pages = {101027}, year = {2020},
  doi = {10.1016/j.csl.2019.101027}
}""",
    layout=Layout(
        pattern=r"(?P<speaker>id\d+)/(?P<video>[^/]+)/(?P<clip>\d+)",
        identity="{speaker}/{video}/{clip}",
        refine=_labelled,
    ),
    speakers=1251 + 6112,
    published=153_516 + 1_128_246,
)


def hold_out_videos(clips: Sequence[Clip], *, share: float = 0.1, seed: int = 0) -> tuple[list[int], list[int]]:
    """Take validation clips out of a corpus whose speakers are the classes: every class stays in training.

    Of each speaker about `share` of the videos are taken, at least one and never all: clips of one video sound alike,
    so that a video on both sides would measure the room and the microphone. A speaker with a single video gives clips
    of it in its place, and one with a single clip gives none.

    Args:
        clips: indexed as voxceleb; all are used.
        share: of a speaker's videos, in (0, 1).
        seed: the same seed, clips and share give the same videos, whatever the order of the clips.

    Returns:
        Indices (for training, for validation), ascending; neither is empty.

    Raises:
        ProtocolError: `share` out of range, or no speaker has two clips.
    """
    if not 0 < share < 1:
        raise ProtocolError(f"validation share is {share}, expected more than 0 and less than 1")
    rng = np.random.default_rng(seed)
    speakers: defaultdict[str, list[int]] = defaultdict(list)
    for number, clip in enumerate(clips):
        speakers[clip.native].append(number)
    held: list[int] = []
    for speaker in sorted(speakers):
        held += _validation_clips(clips, speakers[speaker], share, rng)
    if not held:
        raise ProtocolError(f"none of {len(speakers)} speakers has two clips, expected some with several videos")
    return sorted(set(range(len(clips))) - set(held)), sorted(held)


def _validation_clips(
    clips: Sequence[Clip], members: Sequence[int], share: float, rng: np.random.Generator
) -> list[int]:
    units = {n: clips[n].id.rpartition("/")[0] for n in members}
    if len(set(units.values())) == 1:
        units = {n: clips[n].id for n in members}
    names = sorted(set(units.values()))
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = {names[k] for k in rng.permutation(len(names))[:count]}
    return [n for n in members if units[n] in chosen]
