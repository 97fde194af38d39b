"""Take validation clips from the training clips by speaker: no choice uses test speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emovox.corpora.folds import speaker_key
from emovox.corpora.manifest import Clip
from emovox.schema.errors import ProtocolError


def hold_out(
    clips: Sequence[Clip], train: Sequence[int], *, share: float = 0.2, seed: int = 0
) -> tuple[list[int], list[int]]:
    """Divide training clips into training and validation clips by speaker.

    About `share` of the speakers of every corpus become validation speakers, at least one and never all. In a corpus
    with a single training speaker (TESS), `share` of the sentences are held out: the text is new, the voice is not.

    Args:
        clips: all clips.
        train: indices of the training clips of a fold.
        share: share of the speakers for validation, in (0, 1).
        seed: the same seed, clips and share give the same speakers; the order of the clips does not matter.

    Returns:
        Indices (training, validation), ascending; neither is empty.

    Raises:
        ProtocolError: `share` is out of range, or the clips are too few.
    """
    if not 0 < share < 1:
        raise ProtocolError(f"validation share is {share}, expected more than 0 and less than 1")
    rng = np.random.default_rng(seed)
    chosen: set[int] = set()
    for corpus in sorted({clips[n].corpus for n in train}):
        members = [n for n in train if clips[n].corpus == corpus]
        units = {n: speaker_key(clips[n]) for n in members}
        if len(set(units.values())) == 1:
            units = {n: clips[n].sentence or clips[n].id for n in members}
        names = sorted(set(units.values()))
        count = min(max(1, round(share * len(names))), len(names) - 1)
        held = {names[k] for k in rng.permutation(len(names))[:count]}
        chosen.update(n for n in members if units[n] in held)
    if not chosen:
        raise ProtocolError(f"{len(train)} training clips are too few to take validation clips out; expected more")
    return sorted(set(train) - chosen), sorted(chosen)
