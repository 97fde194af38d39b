"""VoxCeleb 1 and 2, without emotion labels: for pretraining an encoder with the speakers as classes."""

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

    It has no label map and no evaluation protocol. Any part of it can be used; more speakers are better.

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
    example="wav/id10001/1zcIwhmdeo4/00001.wav",
    layout=Layout(
        pattern=r"(?P<speaker>id\d+)/(?P<video>[^/]+)/(?P<clip>\d+)",
        identity="{speaker}/{video}/{clip}",
        refine=_labelled,
    ),
    speakers=1251 + 6112,
    published=153_516 + 1_128_246,
)


def hold_out_videos(clips: Sequence[Clip], *, share: float = 0.1, seed: int = 0) -> tuple[list[int], list[int]]:
    """Divide the clips of a speaker corpus into training and validation clips; every class stays in training.

    About `share` of the videos of each speaker are held out, at least one and never all. Clips of one video sound
    alike, so a video on both sides would measure the room and the microphone. For a speaker with a single video, clips
    are held out instead; a speaker with a single clip stays in training.

    Args:
        clips: clips of the corpus voxceleb; all are used.
        share: share of the videos of a speaker, in (0, 1).
        seed: the same seed, clips and share give the same videos; the order of the clips does not matter.

    Returns:
        Indices (training, validation), ascending; neither is empty.

    Raises:
        ProtocolError: `share` is out of range, or no speaker has two clips.
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
