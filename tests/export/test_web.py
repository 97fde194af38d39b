"""The files of a model for onnxruntime-web."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from emovox.export import web
from emovox.export.wasm.description import FORMAT
from emovox.export.web import write_web
from emovox.runtime.registry import resolve
from emovox.schema.errors import ExportError


def test_the_head_scores_the_statistics_of_the_graph(tmp_path: Path) -> None:
    made = write_web(resolve("mobile"), tmp_path / "web")
    assert sorted(path.name for path in (tmp_path / "web").iterdir()) == sorted(path.name for path in made)
    known = msgspec.json.decode(made.card.read_bytes())
    assert (known["format"], known["card"]["name"], known["adaptation"] is None) == (FORMAT, "mobile", False)
    whole, head = (onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in made[:2])
    samples = np.random.default_rng(1).normal(0, 0.1, (1, 16_000)).astype(np.float32)
    scores, statistics = whole.run(["scores", "statistics"], {"samples": samples})
    profile = {f"speaker_{name}": np.array([known["profile"][name]], np.float32) for name in ("mean", "scale")}
    assert statistics.shape == profile["speaker_mean"].shape == (1, known["statistics"])
    assert [one.name for one in head.get_inputs()] == [
        "statistics",
        *profile,
    ]
    (again,) = head.run(["scores"], {"statistics": statistics, **profile})
    np.testing.assert_allclose(again, scores, atol=1e-6)


def test_the_model_itself_is_not_overwritten() -> None:
    path = resolve("mobile")
    with pytest.raises(ExportError, match=r"is the model's own file; give another folder with --output"):
        write_web(path, path.parent)


def test_a_graph_without_profile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SPEAKER_INPUTS", ("no_mean", "no_scale"))
    with pytest.raises(ExportError, match=r"the graph has no 'no_mean'; take a network, such as hybrid"):
        write_web(resolve("mobile"), tmp_path / "web")
    assert not (tmp_path / "web").exists()
