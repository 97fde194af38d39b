"""A user's own system: any Python function `module:function` that takes samples and their rate."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import numpy as np

from emovox.audio.types import Samples
from emovox.evaluation.trust.system import ANY, System, SystemAnswer
from emovox.schema.errors import AnswerError, ConfigError
from emovox.schema.labels import EMOTIONS
from emovox.schema.text import printable, some

_ROUNDING = 1e-3
"""Tolerance around [0, 1] of scores, and of their sum."""

_LONGEST = 200
"""Letters of what a user's code says that a message quotes."""


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
    at a time. What it prints goes to standard error, since standard output has the result.

    Args:
        name: `module:function`; the module is looked for in the working folder too.

    Raises:
        ConfigError: there is no such module or function, or `labels` or `corpora` are not lists of names.
    """
    function = _load(name)
    labels = _names(name, function, "labels", EMOTIONS)
    learnt = frozenset(_names(name, function, "corpora", ()))
    if len(labels) < 2:
        raise ConfigError(f"{name}: got {len(labels)} labels, expected two or more; see its `labels`")
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
        with redirect_stdout(sys.stderr):
            found = getattr(importlib.import_module(module), function)
    except (Exception, SystemExit) as error:  # a module of a user can raise anything when it is imported
        raise ConfigError(
            f"{name}: cannot be loaded ({_quoted(error)}), expected module:function, with the module in the working "
            "folder or installed"
        ) from error
    if not callable(found):
        raise ConfigError(f"{name}: got {type(found).__name__}, expected a function of samples and rate")
    return found  # type: ignore[no-any-return]  # any function


def _names(name: str, function: Callable[..., Any], attribute: str, default: tuple[str, ...]) -> tuple[str, ...]:
    """Return an attribute of a function that is a list of names, such as its labels."""
    given = getattr(function, attribute, default)
    is_list = isinstance(given, Iterable) and not isinstance(given, (str, bytes))
    names = list(given) if is_list else []
    if not is_list or not all(isinstance(one, str) and one for one in names) or len(set(names)) < len(names):
        got = _shortened(repr(given))
        raise ConfigError(f"{name}: got {got} as its `{attribute}`, expected a list of different names")
    return tuple(sorted(names) if isinstance(given, Set) else map(str, names))


def _quoted(error: BaseException) -> str:
    """Return an error of a user's code in one line."""
    return _shortened(f"{type(error).__name__}: {error}")


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _digest(name: str, function: Callable[..., Any]) -> str:
    """Return a hash of the source files of a function and its module; what they read themselves is not in it."""
    module = sys.modules[name.partition(":")[0]]
    found = hashlib.sha256(name.encode())
    for part in (module, function):
        with suppress(TypeError, OSError):  # no file: built in, or an object that can be called
            found.update(Path(inspect.getfile(part)).read_bytes())
    return found.hexdigest()


def _hearing(
    name: str, function: Callable[[Samples, int], Any], labels: tuple[str, ...]
) -> Callable[..., SystemAnswer]:
    def hear(samples: Samples, rate: int) -> SystemAnswer:
        """Return the function's answer for samples [n].

        Raises:
            AnswerError: the function raises, or what it returns is no label and no scores.
        """
        try:
            with redirect_stdout(sys.stderr):
                given = function(samples.copy(), rate)  # it may change its own copy
        except (Exception, SystemExit) as error:
            raise AnswerError(f"{name} raises {_quoted(error)}") from error
        return _read(given, labels, seconds=len(samples) / rate, name=name)

    return hear


def _read(given: Any, labels: tuple[str, ...], *, seconds: float, name: str) -> SystemAnswer:
    if given is None:
        return SystemAnswer(None, None, 0.0)
    if isinstance(given, str):
        if given not in labels:
            raise AnswerError(
                f"{name} returns '{_shortened(given)}', expected one of {', '.join(labels)}; see its `labels`"
            )
        return SystemAnswer(str(given), None, seconds)
    scores = _scores(given, labels, name)
    return SystemAnswer(labels[int(np.argmax(scores))], tuple(scores.tolist()), seconds)


def _scores(given: Any, labels: Sequence[str], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if isinstance(given, Mapping):
        if unknown := [_shortened(str(one)) for one in given if one not in labels]:
            raise AnswerError(f"{name} scores {some(unknown)}, expected labels of {', '.join(labels)}")
        given = [given.get(label, 0.0) for label in labels]
    try:
        if np.iscomplexobj(given):
            raise TypeError("complex numbers")
        scores = np.asarray(given, np.float64).reshape(-1)
    except Exception as error:  # an object of a user can raise anything when it is converted
        raise AnswerError(f"{name} returns {type(given).__name__}, expected a label or scores") from error
    if len(scores) != len(labels):
        raise AnswerError(f"{name} returns {len(scores)} scores, expected {len(labels)}: {', '.join(labels)}")
    if not np.isfinite(scores).all():
        raise AnswerError(f"{name} returns NaN or infinity, expected probabilities")
    if scores.min() < -_ROUNDING:
        raise AnswerError(f"{name} returns the score {scores.min():.3g}, expected probabilities from 0 to 1")
    if abs(scores.sum() - 1) > len(labels) * _ROUNDING:
        raise AnswerError(f"{name} returns scores with the sum {scores.sum():.3g}, expected probabilities of sum 1")
    return np.clip(scores, 0, 1)
