"""What the face shows in each clip of a corpus of videos, computed once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emovox.corpora.manifest import Clip
from emovox.fusion.face.expression import FACE_LABELS
from emovox.fusion.face.networks import EMBEDDING_WIDTH
from emovox.fusion.face.track import FaceTrack, follow_face
from emovox.schema.errors import VideoError
from emovox.schema.progress import Progress, no_progress
from emovox.training.cache import load_arrays, save_arrays

Features = npt.NDArray[np.float32]

SCORES = len(FACE_LABELS)
"""The first columns of the features: the mean scores of `FACE_LABELS`, as `predict` gives them."""

WIDTH = 2 * (SCORES + EMBEDDING_WIDTH)
"""Columns: mean scores, deviation of their logarithms, mean and deviation of the embedding."""

VERSION = 1
"""Version of the columns; it rises when they change."""


def face_features(clips: Sequence[Clip], *, rate: float, folder: Path, progress: Progress = no_progress) -> Features:
    """Return the features [n, `WIDTH`] of the face in each clip; NaN where no face is seen.

    Args:
        clips: videos.
        rate: pictures a second.
        folder: the cache folder; the file is in its folder `faces`.
        progress: called after each clip that is not in the cache.

    Raises:
        AudioError: a file cannot be opened.
    """
    path = folder / "faces" / f"{_key(clips, rate)}.npz"
    if not path.is_file():
        rows = []
        for number, clip in enumerate(clips, start=1):
            rows.append(_of_clip(clip, rate))
            progress(number, len(clips))
        save_arrays(path, features=np.stack(rows))
    found: Features = load_arrays(path)["features"]
    return found


def _of_clip(clip: Clip, rate: float) -> Features:
    try:
        return summarised(follow_face(clip.path, rate=rate))
    except VideoError:
        return np.full(WIDTH, np.nan, np.float32)


def summarised(track: FaceTrack) -> Features:
    """Return the features [`WIDTH`] of a track; NaN where fewer than half of the pictures show a face."""
    scores = track.scores(-np.inf, np.inf)
    if scores is None:
        return np.full(WIDTH, np.nan, np.float32)
    shown = [sample.face.expression for sample in track.samples if sample.face is not None]
    logs = np.maximum([expression.log_scores for expression in shown], np.log(1e-6))
    embeddings = np.array([expression.embedding for expression in shown])
    parts = (list(scores.values()), logs.std(axis=0), embeddings.mean(axis=0), embeddings.std(axis=0))
    return np.concatenate(parts).astype(np.float32)


def _key(clips: Sequence[Clip], rate: float) -> str:
    """Return a key of the files (names, sizes, times of change) and of the settings."""
    files = [(clip.corpus, clip.id, os.stat(clip.path).st_size, os.stat(clip.path).st_mtime_ns) for clip in clips]
    return hashlib.sha256(repr((VERSION, rate, files)).encode()).hexdigest()[:16]
