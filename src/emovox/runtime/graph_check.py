"""Checks of a graph against its card, at every load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS
from emovox.schema.card import METADATA_KEY, ModelCard, embedded_card
from emovox.schema.errors import CardError

INPUT = "samples"
OUTPUTS = ("scores", "embedding", STATISTICS)
HEAD_OUTPUTS = OUTPUTS[:2]
SPEECH = "speech"
"""Output [batch] of a graph whose card has `speech`: probability that the input is speech."""


def outputs_of(card: ModelCard) -> tuple[str, ...]:
    """Return the outputs of the graph of a card, in the order of `emovox.runtime.model.Outputs`."""
    if card.encoder is not None:
        return HEAD_OUTPUTS
    return OUTPUTS if card.speech is None else (*OUTPUTS, SPEECH)


def check_graph(session: Any, card: ModelCard, *, where: Path) -> None:
    """Raise an error unless inputs and outputs of a graph are those that its card needs.

    Raises:
        CardError: they are not; the message names the file `where`.
    """
    inputs = {node.name: node for node in session.get_inputs()}
    outputs = {node.name: node for node in session.get_outputs()}
    taken, given = INPUT if card.encoder is None else STATISTICS, outputs_of(card)
    if set(inputs) != {taken} or set(outputs) != set(given):
        raise CardError(
            f"{where}: graph has inputs {sorted(inputs)} and outputs {sorted(outputs)}, "
            f"expected ['{taken}'] and {sorted(given)}; export the model again"
        )
    width = outputs["scores"].shape[-1]
    if width != len(card.labels):
        raise CardError(
            f"{where}: output 'scores' is {width} wide, the card has {len(card.labels)} labels "
            f"({', '.join(card.labels)}); use the card that was exported with this graph"
        )
    speakers = {node.name for node in session.get_overridable_initializers() if len(node.shape) == 2}
    missing = set(SPEAKER_INPUTS) - speakers
    if card.adaptable and missing:
        raise CardError(
            f"{where}: card says adaptable, but the graph lacks {sorted(missing)} of [1 or batch, p]; "
            "export the model again"
        )


def check_copy(copy: str, card: ModelCard, *, where: Path) -> None:
    """Raise an error unless the copy of a card inside its graph is the same.

    Raises:
        CardError: it is another, or none; the message names the file `where`.
    """
    if copy == embedded_card(card):
        return
    if not copy:
        raise CardError(f"{where}: graph has no copy of its card ('{METADATA_KEY}'); export the model again")
    beside = msgspec.json.decode(embedded_card(card))
    try:
        inside = msgspec.json.decode(copy)
    except (msgspec.DecodeError, RecursionError):
        inside = None
    if not isinstance(inside, dict):
        raise CardError(f"{where}: graph's copy of its card is no JSON object; export the model again")
    keys = sorted(key for key in {*inside, *beside} if inside.get(key) != beside.get(key))
    raise CardError(
        f"{where}: the card inside the graph and the one beside it differ in {', '.join(keys) or 'their layout'}; "
        "use the card that was exported with this graph"
    )
