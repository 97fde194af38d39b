"""A predictor that is adapted to voices by their names, as `emovox speaker learn` has kept them."""

from __future__ import annotations

from emovox.runtime.predictor import Predictor


def adapted_predictor(
    predictor: Predictor, speaker: str | None, source: str | None, *, adapt: bool = False
) -> Predictor:
    """Return a predictor that is adapted to a speaker and a source, if they are given.

    Args:
        predictor: of the model.
        speaker: name of a speaker.
        source: name of a source: a room, a line or a folder.
        adapt: whether recordings, or calls, are adapted to themselves.

    Raises:
        SpeakerError: one of them is unknown, damaged, or belongs to another model.
        AdaptError: the model cannot adapt.
    """
    if adapt:
        _ = predictor.model.adaptation  # raises
    if speaker is None and source is None:
        return predictor
    from emovox.adaptation.store import SpeakerStore  # here, since most calls need none

    store = SpeakerStore()
    known = [None if name is None else store.load(name) for name in (speaker, source)]
    return predictor.for_speaker(known[0], name=speaker or "", source=known[1])
