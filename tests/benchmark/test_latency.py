from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from emovox.benchmark import latency
from emovox.benchmark.by_hand import NETWORKS, by_hand
from emovox.benchmark.latency import EAGER, EAGER_SPARSE, OPENSMILE, LatencyRow, LatencyTable, measure_models
from emovox.benchmark.machine import Machine
from emovox.benchmark.turns import TimeSpread
from emovox.features.speech_like import speech_like
from emovox.models.network import count_parameters
from emovox.runtime.registry import read_card, resolve
from emovox.schema.errors import ConfigError, UnknownModelError
from emovox.testing import write_toy

MACHINE = Machine("a processor", 2, "Linux", {})


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return measure_models(["mobile", "svm"], seconds=0.5, repeats=1)


def test_shipped_networks_stand_beside_their_hand_written_selves(table: LatencyTable) -> None:
    rows = {row.model: row for row in table.rows}
    assert list(rows) == ["mobile", "svm"]
    assert EAGER in rows["mobile"].sides
    assert EAGER_SPARSE in rows["mobile"].sides
    assert EAGER not in rows["svm"].sides, "it is no network"
    for row in rows.values():
        for side, times in row.sides.items():
            assert row.ratio(side) == pytest.approx(times.median / row.emovox.median)
    assert table.matrix_product.median > 0
    assert msgspec.json.decode(msgspec.json.encode(table), type=LatencyTable) == table


def test_every_side_is_measured_or_named(table: LatencyTable) -> None:
    assert {*table.rows[0].sides, *table.left_out} == {EAGER, EAGER_SPARSE, OPENSMILE}
    for side, extra in table.left_out.items():
        assert extra == latency.NEEDS[side][-1]


def test_every_model_has_a_process_and_the_slowest_product_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def stand_in(_work: object, paths: list[str], seconds: float, repeats: int) -> LatencyTable:
        asked.append([Path(path).stem for path in paths])
        product = TimeSpread(float(len(asked) % 2), 0.0, 9.0)
        rows = tuple(LatencyRow(name, 1, product, {}) for name in asked[-1])
        return LatencyTable(seconds, repeats, rows, {}, product, MACHINE)

    monkeypatch.setattr(latency, "on_one_core", stand_in)
    table = measure_models(["hybrid", "mobile"])
    assert asked == [["hybrid"], ["mobile"]]
    assert [row.model for row in table.rows] == ["hybrid", "mobile"]
    assert table.matrix_product.median == 1.0
    assert measure_models(["hybrid", "mobile"], together=True).rows == (
        LatencyRow("hybrid", 1, TimeSpread(1.0, 0.0, 9.0), {}),
        LatencyRow("mobile", 1, TimeSpread(1.0, 0.0, 9.0), {}),
    )
    assert asked[2:] == [["hybrid", "mobile"]]


def test_models_in_one_process_have_the_rows_that_they_have_apart(table: LatencyTable) -> None:
    together = latency._measure([str(resolve(name)) for name in ("mobile", "svm")], 0.5, 1)
    assert [(row.model, row.parameters, set(row.sides)) for row in together.rows] == [
        (row.model, row.parameters, set(row.sides)) for row in table.rows
    ]
    assert together.left_out == table.left_out


def test_what_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "find_spec", lambda _module: None)
    table = latency._measure([str(resolve("mobile"))], 0.5, 1)
    assert table.rows[0].sides == {}
    assert table.left_out == {EAGER: "dev", EAGER_SPARSE: "dev", OPENSMILE: "opensmile"}


def test_a_model_of_ones_own_has_no_hand_written_self(tmp_path: Path) -> None:
    (row,) = latency._measure([str(write_toy(tmp_path))], 0.5, 1).rows
    assert (row.model, EAGER in row.sides) == ("toy", False)


def test_wrong_arguments() -> None:
    for seconds, repeats in ((0.1, 5), (31.0, 5), (3.0, 0)):
        with pytest.raises(ConfigError, match=r"expected 0\.5 to 30 seconds and 1 or more repeats"):
            measure_models(seconds=seconds, repeats=repeats)
    with pytest.raises(UnknownModelError, match="no model 'huge'"):
        measure_models(["huge"])


def test_a_ratio_is_how_many_times_faster() -> None:
    row = LatencyRow("x", 1, TimeSpread(2.0, 1.0, 3.0), {EAGER: TimeSpread(20.0, 19.0, 21.0)})
    assert row.ratio(EAGER) == 10.0


@pytest.mark.parametrize("name", NETWORKS)
def test_the_hand_written_network_is_the_shipped_one(name: str) -> None:
    """Same layers, by their parameters; whatever does not learn is left out of the count on both sides."""
    encoder, head = NETWORKS[name]()
    shipped = read_card(resolve(name)).parameters
    unread = 512 * 2048 + 512 if name == "accurate" else 0  # the last block's second half, which only training keeps
    assert count_parameters(encoder) + count_parameters(head) - unread == shipped


@pytest.mark.parametrize("name", NETWORKS)
def test_the_hand_written_network_gives_probabilities(name: str) -> None:
    scores = by_hand(name)(speech_like(1.0))
    assert scores.shape == (9,)
    assert scores.sum() == pytest.approx(1, abs=1e-5)
    assert (scores >= 0).all()


def test_librosas_features_are_those_of_the_front_end() -> None:
    """So close that it is the same work; the two differ in windows at the ends and in F0 of what has no voice."""
    import torch

    from emovox.benchmark.by_hand import LibrosaFrames
    from emovox.features.config import FeatureConfig
    from emovox.models.front_end.frames import FrameFrontEnd

    config = FeatureConfig(hop=320)
    samples = torch.from_numpy(speech_like(2.0))[None]
    theirs, ours = LibrosaFrames(config).time_last(samples), FrameFrontEnd(config).time_last(samples)
    for name in ("mfcc", "delta", "log_mel", "rms"):
        mine, other = getattr(ours, name).numpy(), getattr(theirs, name).numpy()
        assert mine.shape == other.shape
        assert np.corrcoef(mine.ravel(), other.ravel())[0, 1] > 0.98, name


def test_f0_is_computed_for_every_frame_or_every_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import librosa
    import torch

    from emovox.benchmark.by_hand import LibrosaFrames
    from emovox.features.config import FeatureConfig

    hops, yin = [], librosa.yin

    def counted(*arguments: Any, hop_length: int, **options: Any) -> Any:
        hops.append(hop_length)
        return yin(*arguments, hop_length=hop_length, **options)

    monkeypatch.setattr(librosa, "yin", counted)
    config, samples = FeatureConfig(hop=320), torch.from_numpy(speech_like(1.0))[None]
    every, second = (LibrosaFrames(config, f0_step=step).time_last(samples).f0 for step in (1, 2))
    assert hops == [320, 640]
    torch.testing.assert_close(every, second)
    for model in ("mobile", "hybrid"):
        by_hand(model, f0_step=2)(speech_like(1.0))
    assert hops[2:] == [640, 640]
    with pytest.raises(ConfigError, match="f0_step: got 3, expected 1 or 2"):
        LibrosaFrames(config, f0_step=3)


def test_opensmile_gives_a_label() -> None:
    pytest.importorskip("opensmile")
    from emovox.benchmark.by_hand import egemaps_svm

    assert np.asarray(egemaps_svm()(speech_like(1.0))).shape == (1,)
