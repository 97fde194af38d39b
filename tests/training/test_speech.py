from __future__ import annotations

import numpy as np
import pytest
import torch

from emovox.models.speech_map import LARGEST, FramePooling, SpeechMap
from emovox.training.speech import SpeechData, figures_of, fit, learn_speech, logits_of, threshold_of
from emovox.training.speech_sounds import FOLDS, NEVER, SYNTHETIC, PieceNote


def note(sound: str, kind: str, fold: str, *, speech: bool, heard: bool = True) -> PieceNote:
    return PieceNote(sound, kind, fold, speech, heard, seconds=2.0, of=4.0)


def notes(per_fold: int) -> list[PieceNote]:
    """Pieces of each fold, half of them speech, and sounds that only teach."""
    made = [note(f"s{n}", SYNTHETIC, NEVER, speech=False, heard=False) for n in range(per_fold)]
    for fold, kinds in FOLDS.items():
        for number in range(per_fold):
            made.append(note(f"{fold}{number}", "emodb", fold, speech=True, heard=number % 2 == 0))
            made.append(note(f"{kinds[0]}{number}", kinds[0], fold, speech=False))
    return made


def apart(made: list[PieceNote], width: int, gap: float = 3.0) -> SpeechData:
    """Values around `gap` for speech, around 0 for others."""
    rng = np.random.default_rng(0)
    speech = np.array([one.is_speech for one in made])
    return SpeechData(made, (rng.standard_normal((len(made), width)) + gap * speech[:, None]).astype(np.float32))


def test_a_map_tells_what_it_has_not_heard() -> None:
    data = apart(notes(40), 4)
    found, threshold, figures = learn_speech(data)
    above = logits_of(found, data.values) >= threshold
    assert above[data.is_speech].mean() > 0.98
    assert figures.kept > 0.98
    assert figures.mean_refused > 0.95
    assert set(figures.refused) == {kinds[0] for kinds in FOLDS.values()}
    assert figures.kept_corpus.keys() == {"emodb"}
    assert figures.tiles == (200, 200)


def test_a_map_without_anything_to_learn_from_tells_nothing() -> None:
    _, _, figures = learn_speech(apart(notes(40), 4, gap=0.0))
    assert figures.kept > 0.95
    assert figures.mean_refused < 0.6  # half of the time is not detected


def test_the_module_gives_the_logits_of_the_regression() -> None:
    data = apart(notes(10), 4)
    found = fit(data, np.full(len(data.notes), True))
    values = np.array([[0.0, 1.0, 2.0, 1e6]], np.float32)
    standard = np.clip((values - found.mean.numpy()) / found.scale.numpy(), -LARGEST, LARGEST)
    expected = standard @ found.weight.numpy() + found.bias.numpy()
    assert logits_of(found, values) == pytest.approx(expected, rel=1e-5)


def test_pooled_frames_are_what_their_names_say() -> None:
    pooling = FramePooling(7, mels=4, cepstra=2)
    frames = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 7, 15)).astype(np.float32))
    found = pooling(frames).numpy()
    assert found.shape == (2, pooling.width)
    x = frames.numpy()
    parts = [x.mean(2), x.std(2), x.min(2), x.max(2)]
    parts += [np.abs(x[:, :, lag:] - x[:, :, :-lag]).mean(2) for lag in (1, 2, 4, 8)]
    centred = x[:, 4:6] - x[:, 4:6].mean(2, keepdims=True)
    pairs = [(centred[:, a] * centred[:, b]).mean(1)[:, None] for a, b in ((0, 0), (0, 1), (1, 1))]
    slope = x[:, 1:4] - x[:, :3]
    parts += [*pairs, (centred**3).mean(2), (centred**4).mean(2), np.abs(slope).mean(2), slope.std(2)]
    band = x[:, :4].mean(1)
    course = (band - band.mean(1, keepdims=True)) / np.sqrt(band.var(1, keepdims=True) + 1e-3)
    parts += [(course[:, lag:] * course[:, :-lag]).mean(1)[:, None] for lag in range(1, 13)]
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), atol=1e-5)


def test_a_map_of_frames_pools_them_first() -> None:
    pooling = FramePooling(7, mels=4, cepstra=2)
    frames = torch.randn(2, 7, 15)
    made = SpeechMap(pooling.width, pooling)
    made.weight.fill_(0.5)
    assert torch.equal(made(frames), made.of(pooling(frames)))


def test_time_counts_whether_the_detector_or_the_map_refuses() -> None:
    made = [
        note("a", "emodb", "water", speech=True),
        note("a", "emodb", "water", speech=True, heard=False),
        note("b", "tess", "water", speech=True),
        note("r1", "rain", "water", speech=False),  # 2 s of 4 s, the rest is not detected
        note("r1", "rain", "water", speech=False, heard=False),  # a copy, which does not count
        note("r2", "rain", "water", speech=False),
        note("d", "dog", "animals", speech=False, heard=False),  # never detected
        note("x", SYNTHETIC, NEVER, speech=False, heard=False),
    ]
    above = np.array([True, False, False, True, True, False, True, True])
    figures = figures_of(SpeechData(made, np.zeros((len(made), 1), np.float32)), above)
    assert (figures.kept, figures.kept_changed) == (0.5, 0.0)
    assert figures.kept_corpus == {"emodb": 1.0, "tess": 0.0}
    assert figures.undetected == {"dog": 1.0, "rain": 0.5}
    assert figures.refused == {"dog": 1.0, "rain": 0.75}
    assert figures.mean_refused == pytest.approx(0.875)


def test_a_threshold_loses_a_small_share_of_the_speech() -> None:
    made = [note(str(n), "emodb", "water", speech=n < 1000) for n in range(2000)]
    data = SpeechData(made, np.zeros((2000, 1), np.float32))
    logits = np.arange(2000.0)
    everything = np.full(2000, True)
    limit = threshold_of(data, logits, everything)
    assert (logits[:1000] < limit).sum() == 5
    logits[:500] = np.nan  # tested by no fold
    assert threshold_of(data, logits, everything) > 500
