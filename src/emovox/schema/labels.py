"""Emotion labels and how the classes of a training set become the labels of a model.

The seven are the default; any ordered tuple of names may stand in their place (a user's own label set), and every
part takes the labels as an argument or from the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EMOTIONS: tuple[str, ...] = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""The project's seven labels, in the order of every score vector."""

EXTRA_CLASSES: tuple[str, ...] = ("calm", "boredom")
"""Classes that some corpora have beyond the seven; networks train on them, shipped models do not output them."""

TRAINING_CLASSES: tuple[str, ...] = EMOTIONS + EXTRA_CLASSES

SEVEN_MAP: Mapping[str, str | None] = {
    **{name: name for name in EMOTIONS},
    "calm": "neutral",
    "boredom": None,
}
"""Training class → one of the seven; None drops the class (docs/protocols.md, rule 8)."""


def merge_matrix(
    classes: Sequence[str], labels: Sequence[str], mapping: Mapping[str, str | None] | None = None
) -> list[list[float]]:
    """Build the 0/1 matrix that adds class probabilities up into label probabilities.

    Args:
        classes: names of the training classes, in the order of the head's outputs.
        labels: names of the output labels, in order.
        mapping: class → label, None to drop; a class that is not in it keeps its own name. Unless given, a class that
            is among the labels keeps its name, and `SEVEN_MAP` says where the others go.

    Returns:
        [classes, labels] nested lists: row c holds a 1 in the column of its label, or only zeros when dropped.

    Raises:
        ValueError: a class maps to a name that is not among the labels.

    >>> merge_matrix(["neutral", "calm", "boredom"], ["neutral"], SEVEN_MAP)
    [[1.0], [1.0], [0.0]]
    """
    mapping = {**SEVEN_MAP, **{name: name for name in labels}} if mapping is None else mapping
    rows = []
    for name in classes:
        target = mapping.get(name, name)
        if target is not None and target not in labels:
            raise ValueError(f"class '{name}' maps to '{target}', expected one of {', '.join(labels)}")
        rows.append([float(label == target) for label in labels])
    return rows
