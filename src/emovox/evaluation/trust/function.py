"""A user's own system: any Python function `module:function` that takes samples and their rate."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emovox.audio.types import Samples
from emovox.evaluation.trust.system import ANY, System, SystemAnswer
from emovox.schema.errors import AnswerError, ConfigError
from emovox.schema.labels import EMOTIONS

_ROUNDING = 1e-3
"""Tolerance around [0, 1] of scores, and of their sum."""


def is_function(name: str) -> bool:
    """Return whether a name has the form `module:function`; a path does not.

    >>> is_function("mine.models:hear"), is_function("accurate"), is_function("C:/models/mine.onnx")
    (True, False, False)
    """
    module, colon, function = name.partition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def from_function(name: str) -> System:
    """Return a function as a system.

    The function gets samples [n] (float32 in [-1, 1]) and their rate in Hz. It returns a label; or a mapping from label
    to score; or one score for each of its labels; or None without speech. Two attributes are optional: `labels`, by
    default the seven emotions, and `corpora`, names of the corpora that it learnt from. It is called for one recording
    at a time.

    Args:
        name: `module:function`; the module is looked for in the working folder too.

    Raises:
        ConfigError: there is no such module or function.
    """
    function = _load(name)
    labels = tuple(getattr(function, "labels", EMOTIONS))
    learnt = frozenset(getattr(function, "corpora", ()))
    unknown = () if hasattr(function, "corpora") else (f"{name} does not say which corpora it learnt from.",)
    return System(
        name=name,
        labels=labels,
        digest=_digest(name, function),
        hear={ANY: _hearing(name, function, labels)},
        learnt=learnt,
        notes=unknown,
        threads=1,
    )


def _load(name: str) -> Callable[[Samples, int], Any]:
    module, _, function = name.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # a module of a user can raise anything when it is imported
        raise ConfigError(
            f"{name}: cannot be loaded ({type(error).__name__}: {error}), expected module:function, with the module in "
            "the working folder or installed"
        ) from error
    if not callable(found):
        raise ConfigError(f"{name}: got {type(found).__name__}, expected a function of samples and rate")
    return found  # type: ignore[no-any-return]  # any function


def _digest(name: str, function: Callable[..., Any]) -> str:
    """Return a hash of the source file; what the function reads itself is not in it."""
    try:
        source = Path(inspect.getfile(function)).read_bytes()
    except (TypeError, OSError):
        source = b""
    return hashlib.sha256(name.encode() + source).hexdigest()


def _hearing(
    name: str, function: Callable[[Samples, int], Any], labels: tuple[str, ...]
) -> Callable[..., SystemAnswer]:
    def hear(samples: Samples, rate: int) -> SystemAnswer:
        """Return the function's answer for samples [n].

        Raises:
            AnswerError: the function raises, or what it returns is no label and no scores.
        """
        try:
            given = function(samples, rate)
        except Exception as error:
            raise AnswerError(f"{name} raises {type(error).__name__}: {error}") from error
        return _read(given, labels, seconds=len(samples) / rate, name=name)

    return hear


def _read(given: Any, labels: tuple[str, ...], *, seconds: float, name: str) -> SystemAnswer:
    if given is None:
        return SystemAnswer(None, None, 0.0)
    if isinstance(given, str):
        if given not in labels:
            raise AnswerError(f"{name} returns '{given}', expected one of {', '.join(labels)}; see its `labels`")
        return SystemAnswer(given, None, seconds)
    scores = _scores(given, labels, name)
    return SystemAnswer(labels[int(np.argmax(scores))], tuple(scores.tolist()), seconds)


def _scores(given: Any, labels: Sequence[str], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if isinstance(given, Mapping):
        if unknown := sorted(set(given) - set(labels)):
            raise AnswerError(f"{name} scores {', '.join(map(str, unknown))}, expected labels of {', '.join(labels)}")
        given = [given.get(label, 0.0) for label in labels]
    try:
        scores = np.asarray(given, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise AnswerError(f"{name} returns {type(given).__name__}, expected a label or scores") from error
    if len(scores) != len(labels):
        raise AnswerError(f"{name} returns {len(scores)} scores, expected {len(labels)}: {', '.join(labels)}")
    if not np.isfinite(scores).all():
        raise AnswerError(f"{name} returns NaN or infinity, expected probabilities")
    if scores.min() < -_ROUNDING or abs(scores.sum() - 1) > len(labels) * _ROUNDING:
        raise AnswerError(f"{name} returns scores with the sum {scores.sum():.3g}, expected probabilities of sum 1")
    return np.clip(scores, 0, 1)
