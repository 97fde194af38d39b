"""Emotion labels, and the mapping from training classes to the labels of a model.

The seven labels are the default. A model may have any other ordered tuple of names, so every part takes the labels as
an argument or from the model card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EMOTIONS: tuple[str, ...] = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""The seven default labels, in the order of every score vector."""

NEUTRAL = "neutral"
"""The label of speech without an emotion."""

EXTRA_CLASSES: tuple[str, ...] = ("calm", "boredom")
"""Further classes of some corpora. Networks train on them; shipped models do not output them."""

TRAINING_CLASSES: tuple[str, ...] = EMOTIONS + EXTRA_CLASSES
"""All classes that published corpora are mapped to, in the order of a head's outputs."""

SEVEN_MAP: Mapping[str, str | None] = {
    **{name: name for name in EMOTIONS},
    "calm": "neutral",
    "boredom": None,
}
"""Training class → one of the seven; None drops the class (docs/protocols.md, rule 8)."""


def merge_matrix(
    classes: Sequence[str], labels: Sequence[str], mapping: Mapping[str, str | None] | None = None
) -> list[list[float]]:
    """Return the 0/1 matrix that sums class probabilities into label probabilities.

    Args:
        classes: names of the training classes, in the order of the head's outputs.
        labels: names of the output labels, in order.
        mapping: class → label, or None to drop the class; a class without an entry keeps its name. By default a class
            that is among the labels keeps its name, and `SEVEN_MAP` maps the others.

    Returns:
        Nested lists of shape [classes, labels]: row c has a 1 in the column of its label, or only zeros if dropped.

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
