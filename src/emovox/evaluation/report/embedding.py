"""Pictures of a model's embedding: neighbouring clips, by emotion, by speaker and by corpus."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emovox.audio.reader import load_audio
from emovox.audio.types import Samples
from emovox.corpora.manifest import Clip
from emovox.evaluation.report.document import Picture
from emovox.evaluation.report.scatter import scatter_figure, tsne
from emovox.evaluation.report.style import png_of
from emovox.runtime.predictor import Predictor
from emovox.schema.errors import AudioError

MOST_CLIPS = 1000
"""Most clips in a picture; more are thinned evenly: time grows with their number, and points hide each other."""

FEWEST_CLIPS = 5
"""Fewest clips of a picture; a layout of fewer points is meaningless."""


def embedding_pictures(predictor: Predictor, clips: Sequence[Clip]) -> tuple[Picture, ...]:
    """Return t-SNE pictures of the embedding of whole clips.

    Clips that cannot be decoded, or that are too short or long for the model, are left out; the evaluation names them.

    Args:
        predictor: the model.
        clips: of one or more corpora.

    Returns:
        One picture by emotion, one by speaker, and with several corpora one by corpus; none for fewer than five clips.
    """
    rows, kept = [], []
    for clip in clips[:: -(-len(clips) // MOST_CLIPS) or 1]:
        samples = _whole(predictor, clip)
        if samples is not None and clip.label is not None:
            rows.append(predictor.model.run(samples).embedding[0])
            kept.append(clip)
    if len(rows) < FEWEST_CLIPS:
        return ()
    points = tsne(np.stack(rows))
    labels = {
        "emotion": [str(clip.label) for clip in kept],
        "speaker": [clip.speaker or "?" for clip in kept],
        "corpus": [clip.corpus for clip in kept],
    }
    if len(set(labels["corpus"])) == 1:
        del labels["corpus"]
    return tuple(_picture(points, names, kind) for kind, names in labels.items())


def _whole(predictor: Predictor, clip: Clip) -> Samples | None:
    """Return a clip as a batch [1, n] for the model, cut to its longest input; None if that is impossible."""
    card = predictor.card
    try:
        samples, rate = load_audio(clip.path, sample_rate=card.sample_rate)
    except AudioError:
        return None
    if samples.shape[1] < round(card.shortest * rate):
        return None
    return np.ascontiguousarray(samples[:, : round(card.longest * rate)])


def _picture(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]], names: Sequence[str], kind: str) -> Picture:
    figure = scatter_figure(points, names, title=f"Embedding of {len(names)} clips by {kind} (t-SNE)", kind=kind)
    return Picture(f"tsne-{kind}.png", f"t-SNE of the embedding, coloured by {kind}", png_of(figure))
