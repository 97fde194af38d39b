"""What is refused when callers teach voices: names, recordings, profiles, one too many, a full disk."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emovox.adaptation.speaker import SpeakerProfile
from emovox.adaptation.voice import VoiceSums
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.testing import RATE, write_toy
from tests.serving.running import Running, begin, close_code, rest, running, wav, word
from tests.serving.school import ANA, CALL, exported, problem, put, teach


class TestRefused:
    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ("adapt=folder", 400, "bad_request"),
            ("adapt=recording&speaker=ana", 400, "bad_request"),
            ("speaker=bo", 404, "unknown_speaker"),
            ("speaker=../x", 422, "bad_speaker"),
        ],
    )
    @pytest.mark.usefixtures("taught")
    def test_queries(self, school: Running, query: str, status: int, code: str) -> None:
        assert problem(school.post(wav(CALL), f"/v1/emotions?{query}", **ANA)) == (status, code)
        assert school.settled()

    @pytest.mark.parametrize("name", ["..%2Fana", ".hidden", "a%5Cb", "con", "a" * 65, "a%00b", "%20"])
    def test_names_that_are_no_names(self, school: Running, name: str, speakers_folder: Path) -> None:
        answers = [
            teach(school, name),
            school.ask("DELETE", f"/v1/speakers/{name}", headers=ANA),
            put(school, name, b""),
        ]
        for answer in answers:
            assert problem(answer) in ((422, "bad_speaker"), (404, "not_found"))
        assert not list(speakers_folder.rglob("*.speaker"))

    @pytest.mark.parametrize(
        ("sound", "query", "status", "code"),
        [
            (wav(np.zeros(RATE)), "", 422, "bad_speaker"),
            (wav(word()), "", 422, "bad_speaker"),  # one clip
            (wav(CALL), "?label=bored", 422, "bad_speaker"),
            (b"no sound", "", 415, "undecodable"),
            (wav(CALL), "?model=toy", 400, "bad_request"),
        ],
    )
    def test_recordings_that_teach_nothing(
        self, school: Running, speakers_folder: Path, sound: bytes, query: str, status: int, code: str
    ) -> None:
        answer = teach(school, "bo", query, sound=sound)
        assert problem(answer) == (status, code)
        assert str(speakers_folder) not in answer.json["error"]["message"]
        assert not list(speakers_folder.rglob("*.speaker"))
        assert school.settled()

    def test_more_speakers_than_a_key_may_have(self, school: Running, taught: SpeakerProfile) -> None:
        for name in ("b", "c"):
            assert put(school, name, taught.to_bytes()).status == 200
        assert problem(put(school, "d", taught.to_bytes())) == (409, "too_many_speakers")
        assert problem(teach(school, "d")) == (409, "too_many_speakers")
        assert teach(school, "c").json["clips"] == 6, "those that are known still learn"

    def test_profiles_that_are_none(self, school: Running, taught: SpeakerProfile, tmp_path: Path) -> None:
        data = taught.to_bytes()
        other = Predictor(Model.load(write_toy(tmp_path, sharpness=2.0)))
        wide = Predictor(Model.load(write_toy(tmp_path, name="six", labels=tuple("abcdef"))))
        for learner in (other, wide):
            learner.learn((CALL, RATE))
        assert other.speaker is not None
        assert wide.speaker is not None
        edited = SpeakerProfile(taught.model, taught.sha256, wide.labels, wide.speaker.voice)
        endless = SpeakerProfile(taught.model, taught.sha256, taught.labels, _times(taught.voice, 1e200))
        for wrong in (
            b"",
            b"\xff" * 100,
            data[:-9],
            data[:40] + b"[" * 500,
            other.speaker.to_bytes(),
            b"x" * 9_000_000,
        ):
            assert problem(put(school, "ana", wrong))[1] in ("bad_speaker", "too_large")
        pupil = Predictor(school.service.models.default.model)
        single = pupil.learn((CALL, RATE), "sad", teach="both")
        for profile in (edited, endless, single):
            assert problem(put(school, "ana", profile.to_bytes())) == (422, "bad_speaker")
        assert exported(school, "ana").to_bytes() == data, "the last good state is kept"

    @pytest.mark.usefixtures("taught")
    def test_a_damaged_file_is_named_and_can_be_deleted(self, school: Running, speakers_folder: Path) -> None:
        (file,) = speakers_folder.rglob("ana.speaker")
        file.write_bytes(file.read_bytes()[:50])
        (entry,) = school.ask("GET", "/v1/speakers", headers=ANA).json["speakers"]
        assert (entry["name"], entry["error"]["code"]) == ("ana", "bad_speaker")
        for answer in (teach(school, "ana"), school.post(wav(CALL), "/v1/emotions?speaker=ana", **ANA)):
            assert problem(answer) == (422, "bad_speaker")
            assert str(speakers_folder) not in answer.json["error"]["message"]
        assert school.ask("DELETE", "/v1/speakers/ana", headers=ANA).status == 204

    def test_a_full_disk(
        self, school: Running, taught: SpeakerProfile, monkeypatch: pytest.MonkeyPatch, speakers_folder: Path
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr("os.fchmod", full)
            answer = teach(school, "ana")
        assert problem(answer) == (507, "full")
        assert str(speakers_folder) not in answer.json["error"]["message"]
        assert exported(school, "ana").to_bytes() == taught.to_bytes()

    @pytest.mark.usefixtures("taught")
    def test_a_page_of_another_site_teaches_nothing(self, school: Running) -> None:
        origin = {"Origin": "https://evil.example"}
        for method, path in (("POST", "ana"), ("DELETE", "ana"), ("PUT", "ana/profile")):
            answer = school.ask(method, f"/v1/speakers/{path}", headers=ANA | origin)
            assert problem(answer) == (403, "forbidden_origin")


class TestOff:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("GET", "/ana"),
            ("POST", "/ana"),
            ("DELETE", "/ana"),
            ("GET", "/ana/profile"),
            ("PUT", "/ana/profile"),
        ],
    )
    def test_learning_is_off_unless_it_is_switched_on(self, service: Running, method: str, path: str) -> None:
        assert problem(service.ask(method, f"/v1/speakers{path}")) == (403, "learning_off")

    def test_no_speaker_can_be_named_then(self, service: Running) -> None:
        assert problem(service.post(wav(CALL), "/v1/emotions?speaker=ana")) == (403, "learning_off")
        with service.connect() as socket:
            assert begin(socket, speaker="ana")["code"] == "learning_off"
            rest(socket)
            assert close_code(socket) == 4403


def test_a_model_that_cannot_adapt(tmp_path: Path) -> None:
    stiff = Model.load(write_toy(tmp_path, adapts=False))
    with running(stiff, tmp_path / "jobs", learn=True, speakers=str(tmp_path / "speakers")) as service:
        assert problem(service.post(wav(CALL), "/v1/emotions?adapt=recording")) == (501, "cannot_adapt")
        assert problem(service.post(wav(CALL), "/v1/speakers/ana")) == (501, "cannot_adapt")
        with service.connect() as socket:
            assert begin(socket, adapt=True)["code"] == "cannot_adapt"
            rest(socket)
            assert close_code(socket) == 4501


def _times(voice: VoiceSums, factor: float) -> VoiceSums:
    unlabelled = voice.unlabelled
    moved = replace(unlabelled, total=unlabelled.total * factor, squares=unlabelled.squares * factor)
    return VoiceSums(moved, voice.labelled)
