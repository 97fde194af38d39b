"""The recogniser: temperature, merged labels, speaker's statistics, for every kind of encoder."""

from __future__ import annotations

import pytest
import torch

from emovox.models.network import Network, Recogniser, count_parameters
from emovox.schema.labels import merge_matrix
from tests.models.small import CLASSES, MOBILE, small_encoders, small_network, write_whisper
from tests.sounds import gliding

SAME_LABELS = merge_matrix(CLASSES, CLASSES)

EXACT = 1e-6
# A clip alone and in a padded batch: float32 sums over other numbers of frames.
SAME = 1e-5


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network(MOBILE)


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    return torch.stack([torch.from_numpy(gliding(16000, seed=seed)) for seed in range(3)])


def recognise(
    network: Network, samples: torch.Tensor, *speaker: torch.Tensor, temperature: float = 1.0
) -> torch.Tensor:
    with torch.no_grad():
        scores: torch.Tensor = Recogniser(network, SAME_LABELS, temperature)(samples, *speaker).scores
    return scores


def test_scores_are_the_softmax_of_the_logits(network: Network, samples: torch.Tensor) -> None:
    with torch.no_grad():
        logits = network(network.encoder.inputs(samples))["logits"]
    torch.testing.assert_close(recognise(network, samples), logits.softmax(1), atol=EXACT, rtol=EXACT)
    hot = recognise(network, samples, temperature=3.0)
    torch.testing.assert_close(hot, (logits / 3).softmax(1), atol=EXACT, rtol=EXACT)


def test_classes_are_merged_and_dropped_and_the_rest_sums_to_one(samples: torch.Tensor) -> None:
    network = small_network(MOBILE)
    classes = ("neutral", "calm", "boredom")
    with torch.no_grad():
        raw = Recogniser(network, merge_matrix(classes, classes), 1.0)(samples).scores
        merged = Recogniser(network, merge_matrix(classes, ("neutral",)), 1.0)(samples).scores
    torch.testing.assert_close(merged, torch.ones(3, 1), atol=EXACT, rtol=EXACT)
    with torch.no_grad():
        happy = ("neutral", "calm", "happy")
        two = Recogniser(network, merge_matrix(happy, ("happy", "neutral")), 1.0)(samples).scores
    torch.testing.assert_close(two, torch.stack([raw[:, 2], raw[:, 0] + raw[:, 1]], 1), atol=EXACT, rtol=EXACT)


def test_a_speaker_changes_embedding_and_scores_but_not_statistics(network: Network, samples: torch.Tensor) -> None:
    made = Recogniser(network, SAME_LABELS, 1.0)
    with torch.no_grad():
        plain = made(samples)
        default = made(samples, made.mean, made.scale)
        other = made(samples, made.mean + 1, made.scale * 2)
    assert torch.equal(plain.scores, default.scores)
    assert torch.equal(plain.statistics, other.statistics)
    assert not torch.allclose(plain.embedding, other.embedding, atol=1e-3)


def test_the_parameters_are_counted_once(network: Network) -> None:
    made = Recogniser(network, SAME_LABELS, 1.0)
    assert count_parameters(made) == count_parameters(network) == sum(len(p.flatten()) for p in network.parameters())


@pytest.fixture(scope="module", params=["mobile", "hybrid", "reference-hybrid", "whisper", "whisper-learning"])
def any_network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = write_whisper(tmp_path_factory.mktemp("weights"))
    return small_network(small_encoders(folder)[request.param])


def test_both_halves_together_are_the_encoder(any_network: Network, samples: torch.Tensor) -> None:
    encoder = any_network.encoder
    with torch.no_grad():
        halves, whole = encoder.pool(encoder.inputs(samples)), encoder(samples)
    torch.testing.assert_close(halves, whole, atol=SAME, rtol=SAME)
    assert whole.shape == (3, encoder.n_statistics)


def test_a_clip_alone_and_in_a_padded_batch_score_equal(any_network: Network) -> None:
    clips = [torch.from_numpy(gliding(n, seed=n))[None] for n in (4800, 9000, 16000)]
    with torch.no_grad():
        rows = [any_network.encoder.inputs(clip)[0] for clip in clips]
        inputs = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=7.0)
        mask = torch.arange(inputs.shape[1])[None] < torch.tensor([len(row) for row in rows])[:, None]
        together = any_network(inputs, mask)["logits"]
        for row, scores in zip(rows, together, strict=True):
            torch.testing.assert_close(any_network(row[None])["logits"][0], scores, atol=SAME, rtol=SAME)
