"""Label views: the classes of a figure, and the mapping of the labels of clips to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emovox.corpora.manifest import Clip
from emovox.schema.errors import ProtocolError
from emovox.schema.labels import EMOTIONS, SEVEN_MAP, TRAINING_CLASSES

_SIX = tuple(name for name in EMOTIONS if name != "disgust")

VIEWS: Mapping[str, tuple[str, ...]] = {
    "ravdess-8": (*EMOTIONS, "calm"),
    "ravdess-7": EMOTIONS,
    "casia": _SIX,
    "emodb": (*(name for name in EMOTIONS if name != "surprise"), "boredom"),
    "nemo": _SIX,
    "tess": EMOTIONS,
    "seven": EMOTIONS,
}
"""View → its classes, in the order of the score columns: the seven first, then calm or boredom."""

OWN = "own"
"""The view of all labels that the clips have: known classes in their order, then other names by alphabet."""


def view(clips: Sequence[Clip], name: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Map the labels of clips to the classes of a view.

    A label that is a class of the view is kept. Otherwise calm becomes neutral and boredom is dropped (`SEVEN_MAP`).

    Args:
        clips: clips of the corpus of the view ("seven" and "own" take any).
        name: a key of `VIEWS`, or "own".

    Returns:
        The classes, and the class of each clip, or None if the clip is dropped.

    Raises:
        ProtocolError: the view is unknown, or a label is neither a class of it nor in `SEVEN_MAP`.
    """
    if name == OWN:
        return classes_of(clips), tuple(clip.label for clip in clips)
    if name not in VIEWS:
        raise ProtocolError(f"no label view is called '{name}', expected one of {', '.join((*VIEWS, OWN))}")
    classes = VIEWS[name]
    return classes, tuple(_translate(clip, classes, name) for clip in clips)


def label_space(corpus: str, name: str, *, calm: bool) -> str:
    """Return the `labels` of a `FigureKey`: the label space of a corpus in a view.

    Args:
        corpus: name of the corpus.
        name: view of the training data: a key of `VIEWS`, or "own".
        calm: whether calm is a separate class.

    >>> label_space("ravdess", "own", calm=True), label_space("emodb", "emodb", calm=False)
    ('ravdess-8', 'own')
    """
    if corpus == "ravdess" and name in (OWN, "seven"):
        return "ravdess-8" if calm else "ravdess-7"
    return OWN if name in (OWN, "seven", corpus) else name


def classes_of(clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the labels of clips: known ones in the order of `TRAINING_CLASSES`, then others by alphabet."""
    found = {clip.label for clip in clips if clip.label is not None}
    return tuple(name for name in TRAINING_CLASSES if name in found) + tuple(sorted(found - set(TRAINING_CLASSES)))


def _translate(clip: Clip, classes: tuple[str, ...], name: str) -> str | None:
    if clip.label is None or clip.label in classes:
        return clip.label
    if clip.label not in SEVEN_MAP:
        raise ProtocolError(
            f"{clip.corpus} {clip.id}: has the label '{clip.label}', expected one of {', '.join(classes)} "
            f"(view {name}); map it with --map, or use the view {OWN}"
        )
    target = SEVEN_MAP[clip.label]
    return target if target in classes else None
