"""Parameters survive as named arrays, and wrong ones are refused."""

from __future__ import annotations

import numpy as np
import pytest

from emovox.adaptation.parameters import PREFIX, from_arrays, to_arrays
from emovox.schema.errors import ModelError
from emovox.testing import toy_adaptation


def test_named_arrays_give_the_same_parameters() -> None:
    fit = toy_adaptation(3)
    arrays = {name: array.ravel() for name, array in to_arrays(fit).items()}
    read = from_arrays(arrays.__getitem__, n_statistics=2)
    for name in ("axes", "apart", "within", "variance"):
        np.testing.assert_allclose(getattr(read, name), getattr(fit, name), rtol=1e-6, err_msg=name)
    features = np.array([1.0, 0.2, 3.0, 1.5, 0.1])
    assert read.gate(features) == pytest.approx(fit.gate(features))
    assert 0 < read.gate(features) < 1


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("axes", np.ones(3), r"adaptation.axes has 3 numbers, expected 2"),
        ("within", np.ones(2), r"adaptation.within has 2 numbers, expected 1"),
        ("gate_scale", np.zeros(5), r"adaptation.gate_scale has the minimum 0, expected finite numbers above 0"),
        ("apart", np.full(3, np.nan), r"adaptation.apart has the minimum nan, expected finite numbers"),
        ("variance", np.zeros(0), r"adaptation.variance has 0 numbers, expected 1"),
    ],
)
def test_wrong_arrays_are_refused(name: str, array: np.ndarray, message: str) -> None:
    arrays = to_arrays(toy_adaptation(3)) | {f"{PREFIX}{name}": array.astype(np.float32)}
    with pytest.raises(ModelError, match=message):
        from_arrays(arrays.__getitem__, n_statistics=2)


def test_a_missing_array_is_named() -> None:
    arrays = to_arrays(toy_adaptation(3))
    del arrays["adaptation.gate_bias"]
    with pytest.raises(KeyError, match="gate_bias"):
        from_arrays(arrays.__getitem__, n_statistics=2)
