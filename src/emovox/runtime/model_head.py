"""The head of a model, from statistics to scores: cut out of the graph, and what adapts it to a voice."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.parameters import from_arrays
from emovox.adaptation.profile import Profile
from emovox.runtime.graph_file import cut_graph, first_product, read_initialiser
from emovox.runtime.session import open_session
from emovox.schema.errors import CardError

STATISTICS = "statistics"

SPEAKER_INPUTS = ("speaker_mean", "speaker_scale")
"""Names of the initialisers [1 or batch, p] that a speaker profile overrides; their values are the training set's."""


class ModelHead(NamedTuple):
    """The head of a model.

    Attributes:
        session: from `statistics` and `SPEAKER_INPUTS` to the outputs of the head.
        profile: mean and scale of the training set.
        adaptation: parameters that adapt the model to a voice; None: it cannot adapt.
    """

    session: Any
    profile: Profile
    adaptation: Adaptation | None


def read_head(graph: bytes, *, whole: bool, where: Path) -> ModelHead:
    """Return the head of a model.

    Args:
        graph: bytes of the graph file.
        whole: whether the graph starts with the waveform; otherwise it is a head alone.
        where: the file, for messages.

    Raises:
        CardError: the graph has no head.
        ModelError: its parameters for adaptation do not fit its statistics.
    """
    try:
        head = (
            cut_graph(graph, source=STATISTICS, inputs=SPEAKER_INPUTS, outputs=["scores", "embedding"])
            if whole
            else graph
        )
        mean, scale = (read_initialiser(graph, name) for name in SPEAKER_INPUTS)
    except (KeyError, ValueError) as error:
        raise CardError(f"{where}: the graph has no head ({error}); export the model again") from error
    session = open_session(head, threads=1, where=where)
    return ModelHead(session, Profile(mean, scale), _read_adaptation(graph, n_statistics=mean.size))


def split_head(graph: bytes, *, where: Path) -> tuple[Any, Any]:
    """Return sessions of the two parts of a head, from the statistics to its first affine map, and on to the scores.

    Args:
        graph: bytes of the graph file.
        where: the file, for messages.

    Raises:
        CardError: the head does not begin with an affine map of standardised statistics.
    """
    try:
        middle = first_product(graph, source=STATISTICS)
        parts = (
            cut_graph(graph, source=STATISTICS, inputs=SPEAKER_INPUTS, outputs=[middle]),
            cut_graph(graph, source=middle, inputs=(), outputs=["scores"]),
        )
        first, rest = (open_session(part, threads=1, where=where) for part in parts)
    except (KeyError, ValueError, CardError) as error:
        raise CardError(
            f"{where}: the head does not begin with an affine map ({error}); score statistics as a whole"
        ) from error
    return first, rest


def _read_adaptation(graph: bytes, *, n_statistics: int) -> Adaptation | None:
    try:
        return from_arrays(partial(read_initialiser, graph), n_statistics=n_statistics)
    except KeyError:
        return None
