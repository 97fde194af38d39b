"""A model: the ONNX graph from waveform to scores, and its card, checked against each other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import onnxruntime

from emovox.adaptation.estimator import Adaptation
from emovox.adaptation.profile import Profile
from emovox.audio.types import Samples
from emovox.runtime.graph_check import HEAD_OUTPUTS, INPUT, OUTPUTS, SPEECH, check_copy, check_graph, outputs_of
from emovox.runtime.graph_file import names_other_files
from emovox.runtime.model_head import SPEAKER_INPUTS, STATISTICS, ModelHead, read_head, split_head
from emovox.runtime.registry import encoder_path, graph_size, heads, read_card, read_part, shipped
from emovox.runtime.session import NO_LOG, chosen_device, one_line, open_session
from emovox.schema.arguments import whole
from emovox.schema.card import METADATA_KEY, ModelCard
from emovox.schema.errors import AdaptError, CardError, ModelError

_ROUNDING = 1e-3
"""Tolerance around [0, 1] for probabilities: quantised graphs exceed the range slightly."""


class Outputs(NamedTuple):
    """Outputs of the graph for samples [batch, n], float32.

    Attributes:
        scores: [batch, labels] probabilities.
        embedding: [batch, d].
        statistics: [batch, p].
        speech: [batch], probability that the input is speech; None if the model does not tell.
    """

    scores: Samples
    embedding: Samples
    statistics: Samples
    speech: Samples | None = None


class Model:
    """A loaded graph with its card; it has no state, so any number of threads and streams share one.

    Args:
        session: an ONNX Runtime session of the graph.
        card: the card of the graph, or of the head that replaces the graph's own.
        path: path of the graph file, or of the head's.
        size: size of the graph files in bytes.
        threads: number of threads for one call of `run`.
        device: what the session runs on.
    """

    def __init__(
        self, session: Any, card: ModelCard, *, path: Path, size: int, threads: int = 1, device: str = "cpu"
    ) -> None:
        self.card = card
        self.size = size
        self._session, self._path, self._threads, self._device = session, path, threads, device
        self._place = os.path.abspath(path)
        self.resume()

    @classmethod
    def load(cls, path: Path, *, threads: int = 1, device: str | None = None) -> Model:
        """Load `<name>.json` and `<name>.onnx` from one folder, and check that they belong together.

        The golden vector is not checked here, because that costs an inference at every start. See
        `emovox.runtime.golden`.

        Args:
            path: path of the card or of the graph; the other has the same name. The card of a head names the model
                whose statistics it takes; that model is loaded with it.
            threads: number of threads for one call of `run`, >= 1.
            device: "cpu", "cuda" or "tensorrt" for front end and encoder; None takes `$EMOVOX_DEVICE`, and else the
                CPU. The head stays on the CPU: it takes microseconds.

        Raises:
            CardError: a file is missing or not a card, hash, labels, inputs, outputs or the embedded card do not match
                the graph, the graph keeps weights in other files, or a head belongs to another model.
            ModelError: `threads` is below 1, or there is no such device.
        """
        device, threads = chosen_device(device), whole(threads, "threads")
        if threads < 1:
            raise ModelError(f"threads is {threads}, expected at least 1")
        card_path, graph_path = path.with_suffix(".json"), path.with_suffix(".onnx")
        card = read_card(card_path)
        if (encoder := encoder_path(card_path, card)) is not None:
            return cls._with_head(encoder, card, path=graph_path, threads=threads, device=device)
        graph = _read_graph(graph_path, card)
        session = open_session(graph, threads=threads, where=graph_path, device=device)
        check_graph(session, card, where=graph_path)
        check_copy(session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, ""), card, where=graph_path)
        return cls(session, card, path=graph_path, size=len(graph), threads=threads, device=device)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to load the model again: a pickle holds its path and its hash, not its weights."""
        return _loaded_again, (self._place, self._threads, self._device, self.card.sha256)

    @classmethod
    def _with_head(cls, encoder: Path, card: ModelCard, *, path: Path, threads: int, device: str) -> Model:
        """Load the model at `encoder`, and check that the head at `path` belongs to it."""
        assert card.encoder is not None
        below = read_card(encoder)
        if below.encoder is not None or below.sha256 != card.encoder.sha256:
            found = "a head" if below.encoder else f"{below.sha256[:12]}…"
            raise CardError(
                f"{path}: the head expects a whole model '{card.encoder.name}' with sha256 "
                f"{card.encoder.sha256[:12]}…, got {found}; copy both from the same source"
            )
        base = cls.load(encoder, threads=threads, device=device)
        size, card = base.size + graph_size(path), msgspec.structs.replace(card, speech=below.speech)
        model = cls(base._session, card, path=path, size=size, threads=threads, device=device)
        check_graph(model._head.session, card, where=path)
        return model

    def run(self, batch: Samples, profiles: Sequence[Profile | None] = ()) -> Outputs:
        """Score a batch of recordings of equal length.

        Args:
            batch: [batch, n] float32 in [-1, 1] at the card's sample rate (Hz); n is from the card's `shortest` to
                `longest` seconds.
            profiles: one for all recordings or one for each; None, or an empty sequence, takes the training set's.

        Returns:
            Scores, embedding, statistics and, if the card has `speech`, the probability of speech; a row per recording.

        Raises:
            ModelError: wrong shape, type or length, profiles that do not fit, a graph that fails, or scores that are
                not probabilities.
        """
        self._check_batch(batch)
        if self.card.encoder is None:
            return Outputs(*self._answer(self._session, outputs_of(self.card), {INPUT: batch}, profiles))
        wanted = [STATISTICS] if self.card.speech is None else [STATISTICS, SPEECH]
        statistics, *speech = self._run(self._session, wanted, {INPUT: batch})
        scores, embedding = self._answer(self._head.session, HEAD_OUTPUTS, {STATISTICS: statistics}, profiles)
        return Outputs(scores, embedding, statistics, *speech)

    def scores(self, statistics: Samples, profiles: Sequence[Profile | None] = ()) -> Samples:
        """Score statistics that `run` returned before: only the head runs, thousands of rows in milliseconds.

        The first call reads the graph again and cuts out the head.

        Args:
            statistics: [batch, p] float32.
            profiles: as in `run`.

        Returns:
            Probabilities of shape [batch, labels], equal to those of `run` within float32 rounding.

        Raises:
            ModelError: as `run`.
            CardError: the graph file has changed and does not match the card.
        """
        self._check_statistics(statistics)
        (scores,) = self._answer(self._head.session, OUTPUTS[:1], {STATISTICS: statistics}, profiles)
        return scores

    def embedding(self, statistics: Samples) -> Samples:
        """Return the embedding [batch, d] of statistics [batch, p] float32, without adaptation.

        Raises:
            ModelError: as `run`.
            CardError: as `scores`.
        """
        (embedding,) = self._run(self._head.session, ["embedding"], {STATISTICS: statistics})
        return embedding

    def hidden(self, statistics: Samples, profile: Profile | None = None) -> Samples:
        """Return the values of the head's first affine map, for `emovox.adaptation.rescoring.rescore`.

        The first call reads the graph again and cuts it.

        Args:
            statistics: [batch, p] float32.
            profile: one for all rows; None takes the training set's.

        Returns:
            Shape [batch, h]; h is 128 to 384 for the shipped models that adapt.

        Raises:
            ModelError: as `run`.
            CardError: the head does not begin with an affine map, or the graph file has changed.
        """
        self._check_statistics(statistics)
        given = {STATISTICS: statistics} | ({} if profile is None else self._speakers([profile], len(statistics)))
        (hidden,) = self._run(self._parts[0], [self._parts[0].get_outputs()[0].name], given)
        return hidden

    def finish(self, hidden: Samples) -> Samples:
        """Return the probabilities, shape [batch, labels], of values of the first affine map [batch, h] float32.

        Raises:
            ModelError: as `run`.
        """
        (scores,) = self._answer(self._parts[1], OUTPUTS[:1], {self._parts[1].get_inputs()[0].name: hidden}, ())
        return scores

    def stop(self) -> None:
        """End the runs in progress, at the end of their current operator, and refuse further ones; any thread may call.

        A graph can hold a loop that never ends. The runs raise `ModelError`.
        """
        self._running.terminate = True

    def resume(self) -> None:
        """Take runs again after `stop`."""
        self._running = onnxruntime.RunOptions()
        self._running.log_severity_level = NO_LOG

    @property
    def default_profile(self) -> Profile:
        """Mean and scale of the training set, shape [p]."""
        return self._head.profile

    @property
    def adaptation(self) -> Adaptation:
        """Parameters that adapt the model to a voice.

        Raises:
            AdaptError: the model has none.
            ModelError: it has some that do not fit its statistics.
            CardError: the graph file has changed and does not match the card.
        """
        found = self._head.adaptation
        if found is None:
            raise AdaptError(f"model '{self.card.name}' cannot adapt; take one that was trained with adaptation = true")
        return found

    @cached_property
    def _head(self) -> ModelHead:
        graph = _read_graph(self._path, self.card)
        return read_head(graph, whole=self.card.encoder is None, where=self._path)

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        return split_head(_read_graph(self._path, self.card), where=self._path)

    def _answer(
        self, session: Any, names: Sequence[str], given: dict[str, Samples], profiles: Sequence[Profile | None]
    ) -> list[Samples]:
        (rows,) = given.values()
        if any(profile is not None for profile in profiles):
            given |= self._speakers(profiles, len(rows))
        outputs = self._run(session, names, given)
        expected, scores = (len(rows), len(self.card.labels)), outputs[0]
        if scores.shape != expected or not (np.abs(scores - 0.5) <= 0.5 + _ROUNDING).all():
            raise ModelError(
                f"model '{self.card.name}' gave scores that are no probabilities {list(expected)}: "
                f"{scores.ravel()[:3]} …; run its golden vector"
            )
        return outputs

    def _run(self, session: Any, names: Sequence[str], given: dict[str, Samples]) -> list[Samples]:
        try:
            outputs: list[Samples] = session.run(list(names), given, self._running)
        except Exception as error:  # ONNX Runtime's own exceptions have no common class below Exception
            raise ModelError(f"model '{self.card.name}' failed ({one_line(error)}); export the model again") from error
        return outputs

    def _speakers(self, profiles: Sequence[Profile | None], rows: int) -> dict[str, Samples]:
        """Return the profiles as inputs [1 or batch, p]; None becomes the training set's."""
        if not self.card.adaptable:
            raise ModelError(f"model '{self.card.name}' takes no profiles; take a model whose card says adaptable")
        if len(profiles) not in (1, rows):
            raise ModelError(f"got {len(profiles)} profiles for {rows} rows, expected 1 or {rows}")
        default = self.default_profile
        known = [default if profile is None else profile for profile in profiles]
        for profile in known:
            if profile.mean.size != default.mean.size:
                raise ModelError(
                    f"profile has {profile.mean.size} numbers, model '{self.card.name}' has {default.mean.size} "
                    "statistics; make it with this model"
                )
        mean, scale = (np.stack(arrays) for arrays in zip(*((one.mean, one.scale) for one in known), strict=True))
        return dict(zip(SPEAKER_INPUTS, (mean, scale), strict=True))

    def _check_statistics(self, statistics: Samples) -> None:
        width = self.default_profile.mean.size
        if statistics.ndim != 2 or statistics.dtype != np.float32 or statistics.shape[1] != width:
            raise ModelError(
                f"statistics are {statistics.dtype} of shape {list(statistics.shape)}, "
                f"expected float32 [batch, {width}]"
            )

    def _check_batch(self, batch: Samples) -> None:
        if batch.ndim != 2 or batch.dtype != np.float32:
            raise ModelError(f"batch is {batch.dtype} of shape {list(batch.shape)}, expected float32 [batch, n]")
        rate = self.card.sample_rate
        shortest, longest = round(self.card.shortest * rate), round(self.card.longest * rate)
        if not shortest <= batch.shape[1] <= longest:
            raise ModelError(
                f"input has {batch.shape[1]} samples, model '{self.card.name}' takes {shortest} to {longest} "
                f"at {rate} Hz; use predict or a stream, which cut recordings to length"
            )


def _read_graph(path: Path, card: ModelCard) -> bytes:
    graph = read_part(path)
    digest = hashlib.sha256(graph).hexdigest()
    if digest != card.sha256:
        raise CardError(
            f"{path}: sha256 is {digest[:12]}…, its card expects {card.sha256[:12]}…; "
            "the two files do not belong together: copy both from the same source"
        )
    try:
        if not names_other_files(graph):
            return graph
    except ValueError as error:
        raise CardError(f"{path}: this is no ONNX graph ({error}); export the model again") from error
    raise CardError(
        f"{path}: the graph keeps weights in other files, expected all of them inside; "
        "save it again without external data"
    )


def _loaded_again(path: str, threads: int, device: str, sha256: str) -> Model:
    place = Path(path)
    found = place if place.is_file() else {**heads(), **shipped()}.get(place.stem, place)
    model = Model.load(found, threads=threads, device=device)
    if model.card.sha256 != sha256:
        raise CardError(f"{path}: got another model than the one that was pickled, expected sha256 {sha256[:12]}…")
    return model
