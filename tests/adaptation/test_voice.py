"""A voice from labelled and unlabelled clips, its file, and the folder of files."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from emovox.adaptation.estimator import shifted
from emovox.adaptation.learning import HeadLearner
from emovox.adaptation.speaker import LARGEST_FILE, METADATA_KEY, SpeakerProfile, read_speaker
from emovox.adaptation.store import SpeakerStore, checked_name
from emovox.adaptation.voice import AdaptedScorer, VoiceSums, measured
from emovox.runtime.model import Model
from emovox.schema.errors import ConfigError, ModelError, SpeakerError, UnknownSpeakerError
from emovox.testing import write_toy

LABELS = ("low", "high")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_toy(tmp_path_factory.mktemp("toy"), labels=LABELS))


def clips(n: int, *, offset: float = 0.0, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal([-3.0, -5.0], [0.1, 1.0], (n, 2))
    return (rows + offset).astype(np.float32)


def voice(model: Model, rows: np.ndarray, label: int | None = None) -> VoiceSums:
    return measured(model.adaptation, model, rows, model.scores(rows), [3.0] * len(rows), label)


def profile(model: Model, n: int = 6, label: int | None = None) -> SpeakerProfile:
    return SpeakerProfile("toy", model.card.sha256, LABELS, voice(model, clips(n, offset=1.0), label))


class TestScorer:
    def test_a_source_a_speaker_and_labels_each_move_the_scores(self, model: Model) -> None:
        rows = clips(20, offset=1.0, seed=2)
        plain, fit, known = model.scores(rows), model.adaptation, voice(model, clips(9, offset=1.0))
        for scorer in (
            AdaptedScorer(model, fit, known),
            AdaptedScorer(model, fit, source=known.unlabelled),
            AdaptedScorer(model, fit, voice(model, clips(9, offset=1.0), label=1)),
        ):
            scores = scorer.scores(rows)
            np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
            assert np.abs(scores - plain).max() > 0.1
        np.testing.assert_allclose(AdaptedScorer(model, fit).scores(rows), plain, atol=1e-6)

    def test_learning_clip_by_clip_is_learning_them_at_once(self, model: Model) -> None:
        rows, seen = clips(5, seed=1), clips(8, offset=0.7)
        slow = AdaptedScorer(model, model.adaptation)
        for row in seen:
            slow.learn(row[None], model.scores(row[None]), [3.0])
        fast = AdaptedScorer(model, model.adaptation, voice(model, seen))
        np.testing.assert_allclose(slow.scores(rows), fast.scores(rows), atol=1e-5)
        assert (slow.voice.clips, slow.voice.seconds) == (8, 24.0)

    def test_sums_of_another_model_are_refused(self, model: Model, tmp_path: Path) -> None:
        other = Model.load(write_toy(tmp_path, labels=tuple("abc")))
        foreign = voice(other, clips(3))
        with pytest.raises(ModelError, match="expected one model"):
            AdaptedScorer(model, model.adaptation, foreign)
        with pytest.raises(ModelError, match="expected one model"):
            AdaptedScorer(model, model.adaptation, source=foreign.unlabelled)

    def test_sums_move_with_the_mean_they_are_relative_to(self, model: Model) -> None:
        fit, rows = model.adaptation, clips(7)
        offset = np.array([0.3, -0.2])
        there = shifted(model.default_profile, offset)
        moved, fresh = fit.moved(voice(model, rows).unlabelled, offset), fit.sums(rows, model.scores(rows), [], there)
        for name in ("total", "squares", "moments"):
            np.testing.assert_allclose(getattr(moved, name), getattr(fresh, name), atol=1e-4, err_msg=name)


def taught() -> HeadLearner:
    """A learner of a model with two labels and an embedding of two numbers, after three clips of each label."""
    embeddings = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0], [0.1, 0.9], [0.2, 0.8]], np.float32)
    return HeadLearner.empty(2, 2).learn(embeddings, np.full((6, 2), 0.5, np.float32), [0, 0, 0, 1, 1, 1])


class TestFile:
    def test_a_profile_comes_back_from_its_bytes(self, model: Model) -> None:
        before = profile(model) + voice(model, clips(3), label=1)
        after = SpeakerProfile.from_bytes(before.to_bytes(), where="x")
        assert (after.model, after.sha256, after.labels) == (before.model, before.sha256, before.labels)
        assert after.clips == {"": 6, "high": 3}
        assert (after.voice.seconds, after.voice.clips) == (27.0, 9)
        rows = clips(4)
        np.testing.assert_array_equal(
            AdaptedScorer(model, model.adaptation, after.voice).scores(rows),
            AdaptedScorer(model, model.adaptation, before.voice).scores(rows),
        )

    def test_a_head_that_has_learnt_comes_back_too(self, model: Model) -> None:
        before = replace(profile(model), learner=taught())
        data = before.to_bytes()
        after = SpeakerProfile.from_bytes(data, where="x")
        assert after.learner is not None
        assert after.learner.learnt
        assert before.learner is not None
        np.testing.assert_array_equal(after.learner.weights, before.learner.weights)
        assert b'\\"version\\":2' in data
        assert b'\\"version\\":1' in profile(model).to_bytes()
        arrays, text = load(data), {METADATA_KEY: _metadata(data)}
        for name in ("replay.embeddings", "replay.scores", "replay.labels", "replay.seen", "learner.start"):
            for changed in (arrays[name] * np.nan, arrays[name][:1, ...] * 7, np.zeros((1, 1, 1))):
                with pytest.raises(SpeakerError, match="it is damaged"):
                    SpeakerProfile.from_bytes(save({**arrays, name: changed}, text), where="x")

    def test_what_is_learnt_at_different_times_is_joined(self, model: Model) -> None:
        bare, knows = profile(model), replace(profile(model), learner=taught())
        for one, other, clips_kept in ((bare, knows, 6), (knows, bare, 6), (knows, knows, 12)):
            both = one.joined(other)
            assert both.voice.clips == one.voice.clips + other.voice.clips
            assert both.learner is not None
            assert len(both.learner.replay) == clips_kept
        assert bare.joined(bare).learner is None
        with pytest.raises(SpeakerError, match="belongs to model"):
            bare.joined(replace(bare, sha256="1" * 64))

    def test_one_clip_is_not_kept(self, model: Model) -> None:
        for label in (None, 0):
            with pytest.raises(SpeakerError, match="got 1 clips of speech, about 3 s each, expected at least 2"):
                profile(model, 1, label).to_bytes()

    def test_a_profile_of_another_model_is_refused(self, model: Model) -> None:
        with pytest.raises(SpeakerError, match=r"belongs to model 'toy' with sha256 .* got model 'other' with 123"):
            profile(model).check("other", "123")

    def test_what_is_damaged_or_none_is_refused(self, model: Model, tmp_path: Path) -> None:
        good = profile(model).to_bytes()
        text = load(good), {METADATA_KEY: "{}"}
        arrays = load(good)
        later = good.replace(b'\\"version\\":1', b'\\"version\\":9')
        assert later != good
        known = {METADATA_KEY: _metadata(good)}
        bad = [
            b"", b"{}", good[:-9], good[:40], b"RIFF" + good, save(*text), save(arrays), later,
            save({**arrays, "total": arrays["total"] * np.nan}, known),
            save({**arrays, "total": arrays["total"][:1]}, known),
            save({**arrays, "total": arrays["total"].astype(np.float32)}, known),
            save(arrays, {METADATA_KEY: "[" * 100_000}),
            save({**arrays, "labelled.counts": -arrays["labelled.counts"] - 1}, known),
            save({name: array for name, array in arrays.items() if name != "scores"}, known),
        ]  # fmt: skip
        for data in bad:
            with pytest.raises(SpeakerError, match="x: this is no profile of a speaker, or it is damaged"):
                SpeakerProfile.from_bytes(data, where="x")
        with pytest.raises(SpeakerError, match="cannot be read"):
            read_speaker(tmp_path / "none")
        large = tmp_path / "large"
        large.write_bytes(bytes(LARGEST_FILE + 1))
        with pytest.raises(SpeakerError, match="got more than"):
            read_speaker(large)


def _metadata(data: bytes) -> str:
    """The JSON text of a profile."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return str(header["__metadata__"][METADATA_KEY])


class TestStore:
    def test_a_profile_is_kept_listed_and_deleted_for_good(self, model: Model, tmp_path: Path) -> None:
        store, kept = SpeakerStore(tmp_path / "new" / "speakers"), profile(model)
        assert store.names() == []
        store.update("Jürgen", lambda old: kept if old is None else old)
        assert store.names() == ["Jürgen"]
        assert store.load("Ju\u0308rgen").voice.clips == 6, "the same name in another form"
        if sys.platform != "win32":
            assert stat.S_IMODE(store.path("Jürgen").stat().st_mode) == 0o600
        store.delete("Jürgen")
        assert store.names() == []
        assert [path.name for path in store.folder.iterdir()] == [".lock"]
        with pytest.raises(UnknownSpeakerError, match=r"no speaker 'Jürgen' in .*, none is known yet"):
            store.load("Jürgen")
        with pytest.raises(UnknownSpeakerError):
            store.delete("Jürgen")

    @pytest.mark.parametrize(
        "name", ["", " ", "../x", "a/b", "a\\b", ".x", "x.", "-x", "a\nb", "con", "NUL.x", "x" * 65, "𠀀" * 64]
    )
    def test_names_with_a_path_and_others_that_no_file_has_are_refused(self, name: str) -> None:
        with pytest.raises(SpeakerError, match="for a speaker, expected up to 64 letters and digits"):
            checked_name(name)

    def test_a_change_that_fails_leaves_the_last_good_state(self, model: Model, tmp_path: Path) -> None:
        store, good = SpeakerStore(tmp_path), profile(model)
        store.update("ana", lambda _: good)
        before = store.path("ana").read_bytes()

        def fail(_: SpeakerProfile | None) -> SpeakerProfile:
            raise SpeakerError("no")

        with pytest.raises(SpeakerError):
            store.update("ana", fail)
        with pytest.raises(SpeakerError, match="expected at least 2"):
            store.update("ana", lambda _: profile(model, 1))
        assert store.path("ana").read_bytes() == before
        store.path("ana").write_bytes(before[:50])
        with pytest.raises(SpeakerError, match="damaged"):
            store.update("ana", lambda _: good)
        store.delete("ana")

    def test_a_folder_that_cannot_be_made_is_an_error(self, model: Model, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigError, match="name another in EMOVOX_SPEAKERS"):
            SpeakerStore(tmp_path / "file" / "speakers").update("ana", lambda _: profile(model))

    def test_processes_that_learn_at_once_lose_nothing(self, model: Model, tmp_path: Path) -> None:
        single = tmp_path / "one"
        single.write_bytes(profile(model, 2).to_bytes())
        work = [subprocess.Popen([sys.executable, "-c", _ADD, str(tmp_path), str(single)]) for _ in range(3)]
        assert [process.wait() for process in work] == [0, 0, 0]
        assert SpeakerStore(tmp_path).load("ana").voice.clips == 3 * 20 * 2

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
    def test_a_process_that_is_killed_leaves_the_last_good_state(self, model: Model, tmp_path: Path) -> None:
        single = tmp_path / "one"
        single.write_bytes(profile(model, 2).to_bytes())
        work = subprocess.Popen([sys.executable, "-u", "-c", _ADD, str(tmp_path), str(single)], stdout=subprocess.PIPE)
        assert work.stdout is not None
        for _ in range(3):
            work.stdout.readline()
        os.kill(work.pid, signal.SIGKILL)
        work.communicate()
        store = SpeakerStore(tmp_path)
        clips_now = store.load("ana").voice.clips
        assert clips_now >= 3 * 2
        store.update("ana", lambda old: _added(old, store, single))
        assert store.load("ana").voice.clips == clips_now + 2


def _added(old: SpeakerProfile | None, store: SpeakerStore, single: Path) -> SpeakerProfile:
    assert old is not None
    return old + read_speaker(single).voice


_ADD = """
import sys
from pathlib import Path
from emovox.adaptation.speaker import read_speaker
from emovox.adaptation.store import SpeakerStore

store, one = SpeakerStore(Path(sys.argv[1])), read_speaker(Path(sys.argv[2]))
for _ in range(20):
    store.update("ana", lambda old: one if old is None else old + one.voice)
    print("kept", flush=True)
"""
