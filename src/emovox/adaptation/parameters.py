"""The parameters of an adaptation as named arrays: so they are kept in a graph and beside a trained network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from emovox.adaptation.estimator import Adaptation, Gate, Numbers
from emovox.audio.types import Samples
from emovox.schema.errors import ModelError

PREFIX = "adaptation."
"""What all names begin with."""

_MOODS, _GATE = ("axes", "apart", "within", "variance"), ("mean", "scale", "weights", "bias")
"""Attributes of an `Adaptation` and of its gate; the names of the latter begin with "gate_"."""

_AXES = f"{PREFIX}axes"

_AGAIN = "export the model again"


def to_arrays(adaptation: Adaptation) -> dict[str, npt.NDArray[np.floating]]:
    """Return the parameters by name, float32; one number has the shape [1].

    The axes are float16: they are nearly all of the numbers, and directions need no more digits.
    """
    values = {name: getattr(adaptation, name) for name in _MOODS}
    values |= {f"gate_{name}": getattr(adaptation.gate, name) for name in _GATE}
    arrays = {f"{PREFIX}{name}": np.atleast_1d(np.asarray(value, np.float32)) for name, value in values.items()}
    return {name: array.astype(np.float16) if name == _AXES else array for name, array in arrays.items()}


def from_arrays(read: Callable[[str], Samples], *, n_statistics: int) -> Adaptation:
    """Return the adaptation of named arrays; they may be flat.

    Args:
        read: returns an array by its name, or raises KeyError.
        n_statistics: width p of the model's statistics.

    Raises:
        KeyError: an array is missing.
        ModelError: an array has a wrong size, or a value that is not finite, or not above 0 where it must be.
    """
    names = (*_MOODS, *(f"gate_{name}" for name in _GATE))
    arrays = {name: read(f"{PREFIX}{name}").astype(np.float64).ravel() for name in names}
    axes = max(1, arrays["axes"].size // n_statistics)
    _check(arrays, axes, n_statistics)
    return Adaptation(
        axes=arrays["axes"].reshape(axes, n_statistics),
        apart=arrays["apart"].reshape(axes, -1),
        within=arrays["within"].reshape(axes, axes),
        variance=float(arrays["variance"][0]),
        gate=Gate(arrays["gate_mean"], arrays["gate_scale"], arrays["gate_weights"], float(arrays["gate_bias"][0])),
    )


def _check(arrays: Mapping[str, Numbers], axes: int, n_statistics: int) -> None:
    labels, features = max(1, arrays["apart"].size // axes), max(1, arrays["gate_mean"].size)
    sizes = {"axes": axes * n_statistics, "apart": axes * labels, "within": axes * axes, "variance": 1, "gate_bias": 1}
    sizes |= {f"gate_{name}": features for name in ("mean", "scale", "weights")}
    for name, array in arrays.items():
        if array.size != sizes[name]:
            raise ModelError(f"{PREFIX}{name} has {array.size} numbers, expected {sizes[name]}; {_AGAIN}")
        positive = name in ("variance", "gate_scale")
        if not np.isfinite(array).all() or (positive and array.min() <= 0):
            kind = "finite numbers above 0" if positive else "finite numbers"
            raise ModelError(f"{PREFIX}{name} has the minimum {array.min():g}, expected {kind}; {_AGAIN}")
