from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from emovox.runtime.golden import FORMULA, check_golden, golden_input
from emovox.runtime.model import Model
from emovox.runtime.registry import shipped
from emovox.schema.card import Golden
from emovox.schema.errors import ModelError
from emovox.testing import write_toy

REFERENCE = [0.0022998648, -0.00041073770, -0.096071757, -0.00090089755, 0.0011983040]
"""Samples 0, 1, 2000, 7999 and 15999 of one second, from `golden_input` when the first card was written."""

INPUT_TOLERANCE = 1e-6
"""Sines may differ in the last bit of a double between machines; float32 rounding is 3e-8."""


def test_golden_input_never_changes() -> None:
    samples = golden_input(seconds=1.0, sample_rate=16000)
    assert samples.dtype == np.float32
    assert samples.shape == (16000,)
    np.testing.assert_allclose(samples[[0, 1, 2000, 7999, 15999]], REFERENCE, atol=INPUT_TOLERANCE)
    assert 0.3 < np.abs(samples).max() < 1.0


def test_golden_noise_is_uniform_and_centred() -> None:
    # In the dips between syllables (every 1/4 s) only the noise is left.
    samples = golden_input(seconds=2.0, sample_rate=16000)
    dips = np.concatenate([samples[4000 * k - 8 : 4000 * k + 8] for k in range(1, 8)])
    assert 5e-4 < np.abs(dips).mean() < 4e-3
    assert len(np.unique(dips)) == len(dips)


def test_a_sound_model_passes(tmp_path: Path) -> None:
    model = Model.load(write_toy(tmp_path))
    assert check_golden(model) <= model.card.golden.tolerance


def test_a_changed_score_is_seen(tmp_path: Path) -> None:
    golden = Model.load(write_toy(tmp_path)).card.golden
    moved = (golden.scores[0] + 0.25, *golden.scores[1:])
    model = Model.load(write_toy(tmp_path, golden=msgspec.structs.replace(golden, scores=moved)))
    assert check_golden(model) == pytest.approx(0.25, abs=1e-5)


def test_unknown_formula_is_refused(tmp_path: Path) -> None:
    golden = Golden("chirp-9", 1.0, (0.0,) * 7, 1e-4)
    with pytest.raises(ModelError, match=f"golden formula is 'chirp-9', expected '{FORMULA}'"):
        check_golden(Model.load(write_toy(tmp_path, golden=golden)))


def test_every_shipped_model_passes_its_golden_vector() -> None:
    for path in shipped().values():
        model = Model.load(path)
        assert check_golden(model) <= model.card.golden.tolerance
