"""The network of the baseline: scores are those of the fitted model, merged into the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from emovox.audio.types import Samples
from emovox.export.onnx import to_onnx
from emovox.features.functionals import functionals
from emovox.models.network import NetworkOutputs, Recogniser
from emovox.models.scores import softmax
from tests.models.baseline import FittedSvm, N, small_model, sounds
from tests.sounds import gliding

OWN = ("bored", "cross", "keen")
WITH_EXTRAS = ("neutral", "happy", "sad", "calm", "boredom")

# Half-precision support vectors and float32 functionals; measured 3e-4 and 2e-3.
SCORES, EMBEDDING = 2e-3, 2e-2
# The same graph in ONNX Runtime: float32 sums in another order.
RUNTIME = 2e-4


def new_sounds() -> Samples:
    return np.stack([gliding(N, seed=seed) for seed in (40, 41, 42, 43)])


def run(network: Recogniser, samples: Samples, *speaker: Samples) -> NetworkOutputs:
    with torch.no_grad():
        outputs: NetworkOutputs = network.eval()(torch.from_numpy(samples), *map(torch.from_numpy, speaker))
    return outputs


def reference(model: FittedSvm, samples: Samples) -> Samples:
    """Probabilities over the classes, by the fitted model."""
    rows = np.stack([functionals(one) for one in samples]).astype(np.float64)
    return np.asarray(softmax(model.decisions(rows) / model.temperature), np.float32)


@pytest.mark.parametrize("columns", [slice(None), slice(3, 300, 2)], ids=["all functionals", "some functionals"])
@pytest.mark.parametrize("temperature", [0.4, 2.0])
def test_scores_are_those_of_the_fitted_model(columns: slice, temperature: float) -> None:
    model = small_model(OWN, columns=columns, temperature=temperature)
    samples = np.concatenate([sounds()[:4], new_sounds()])
    outputs = run(model.recogniser(OWN), samples)
    np.testing.assert_allclose(outputs.scores, reference(model, samples), atol=SCORES)
    rows = np.stack([functionals(one) for one in samples])
    np.testing.assert_allclose(outputs.embedding, model.projection(rows.astype(np.float64)), atol=EMBEDDING)
    np.testing.assert_allclose(outputs.statistics, rows, atol=2e-3)


def test_calm_folds_into_neutral_and_boredom_is_dropped() -> None:
    model = small_model(WITH_EXTRAS)
    samples = np.concatenate([sounds()[:5], new_sounds()])
    known = dict(zip(WITH_EXTRAS, reference(model, samples).T, strict=True))
    expected = np.stack([known["neutral"] + known["calm"], known["happy"], known["sad"]], axis=1)
    expected /= (1 - known["boredom"])[:, None]
    found = run(model.recogniser(("neutral", "happy", "sad")), samples).scores
    np.testing.assert_allclose(found, expected, atol=SCORES)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_a_model_whose_labels_are_its_classes_keeps_them_all() -> None:
    model = small_model(WITH_EXTRAS)
    found = run(model.recogniser(WITH_EXTRAS), new_sounds()).scores
    np.testing.assert_allclose(found, reference(model, new_sounds()), atol=SCORES)


def test_the_order_of_the_labels_is_free() -> None:
    model = small_model(OWN)
    forward = run(model.recogniser(OWN), new_sounds()).scores
    backward = run(model.recogniser(OWN[::-1]), new_sounds()).scores
    np.testing.assert_allclose(backward, forward.flip(1), atol=1e-6)


def test_a_speaker_takes_the_place_of_the_training_set() -> None:
    network = small_model(OWN).recogniser(OWN)
    mean, scale = network.mean.numpy(), network.scale.numpy()
    plain = run(network, new_sounds())
    np.testing.assert_array_equal(run(network, new_sounds(), mean, scale).scores, plain.scores)
    # at the mean of a speaker whose own statistics it is, everything is 0
    own = run(network, new_sounds()[:1], plain.statistics[0].numpy(), scale)
    np.testing.assert_allclose(own.embedding, 0, atol=1e-6)
    assert (own.scores - plain.scores[:1]).abs().max() > 0.01


@pytest.fixture(scope="module")
def network() -> Recogniser:
    return small_model(WITH_EXTRAS).recogniser(("neutral", "happy", "sad")).eval()


@pytest.fixture(scope="module")
def session(network: Recogniser) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    graph = to_onnx(network, labels=("neutral", "happy", "sad"), metadata="{}")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("n", [4800, 16000, 48000, 71999])
def test_the_graph_scores_as_the_network(network: Recogniser, session: onnxruntime.InferenceSession, n: int) -> None:
    samples = np.stack([gliding(n, seed=seed) for seed in range(3)])
    (found,) = session.run(["scores"], {"samples": samples})
    np.testing.assert_allclose(found, run(network, samples).scores, atol=RUNTIME)


def test_the_graph_takes_a_speaker_in_place_of_its_defaults(
    network: Recogniser, session: onnxruntime.InferenceSession
) -> None:
    samples = new_sounds()
    rng = np.random.default_rng(0)
    mean = (network.mean.numpy() + rng.normal(0, 0.3, (1, 609))).astype(np.float32)
    scale = (network.scale.numpy() * rng.uniform(0.5, 2, (1, 609))).astype(np.float32)
    (plain,) = session.run(["scores"], {"samples": samples})
    (found,) = session.run(["scores"], {"samples": samples, "speaker_mean": mean, "speaker_scale": scale})
    np.testing.assert_allclose(found, run(network, samples, mean, scale).scores, atol=RUNTIME)
    assert np.abs(found - plain).max() > 0.01


def test_speaker_statistics_are_optional_inputs(session: onnxruntime.InferenceSession, tmp_path: Path) -> None:
    assert [node.name for node in session.get_inputs()] == ["samples"]
    names = {node.name for node in session.get_overridable_initializers()}
    assert {"speaker_mean", "speaker_scale"} <= names
