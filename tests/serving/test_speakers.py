"""Callers teach the service voices, and use them in recordings and streams; keys, workers and deletion."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.adaptation.speaker import SpeakerProfile
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.serving.keys import EVERYONE
from emovox.testing import RATE
from tests.serving.running import END, Running, begin, close_code, pcm, received, rest, running, wav, word
from tests.serving.school import ANA, CALL, KEY, OTHER, OTHERS, counted, exported, problem, put, teach

SCORE_TOLERANCE = 2e-4
"""Tolerance of a score: answers have four decimals, and batches differ by rounding."""


class TestTeaching:
    def test_a_speaker_is_taught_shown_used_and_deleted(
        self, school: Running, toy: Model, speakers_folder: Path
    ) -> None:
        before = {how: counted(school, how) for how in ("learnt", "deleted")}
        first = teach(school, "ana")
        assert first.json == {
            "name": "ana",
            "model": "toy",
            "sha256": toy.card.sha256,
            "clips": 3,
            "seconds": pytest.approx(8.8, abs=0.5),
            "labels": {"without a label": 3},
        }
        second = teach(school, "ana", "?label=happy", sound=wav(word(800.0)))
        assert second.json["labels"] == {"without a label": 3, "happy": 1}
        assert school.ask("GET", "/v1/speakers", headers=ANA).json == {"speakers": [second.json]}
        assert school.ask("GET", "/v1/speakers/ana", headers=ANA).json == second.json

        profile = exported(school, "ana")
        expected = Predictor(toy).for_speaker(profile, name="ana").predict((CALL, RATE))
        answer = school.post(wav(CALL), "/v1/emotions?speaker=ana", **ANA).json
        assert answer["adapted"] == {"source": "speaker ana", "clips": 4, "seconds": round(profile.voice.seconds, 3)}
        assert answer["scores"] == pytest.approx(expected.scores, abs=SCORE_TOLERANCE)
        plain = school.post(wav(CALL), **ANA).json
        assert answer["plain_scores"] == pytest.approx(plain["scores"], abs=SCORE_TOLERANCE)
        assert "adapted" not in plain

        assert school.ask("DELETE", "/v1/speakers/ana", headers=ANA).status == 204
        assert not list(speakers_folder.rglob("*.speaker"))
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/profile")):
            assert problem(school.ask(method, f"/v1/speakers/ana{path}", headers=ANA)) == (404, "unknown_speaker")
        assert problem(school.post(wav(CALL), "/v1/emotions?speaker=ana", **ANA)) == (404, "unknown_speaker")
        assert counted(school, "learnt") == before["learnt"] + 2
        assert counted(school, "deleted") == before["deleted"] + 1

    @pytest.mark.usefixtures("taught")
    def test_each_key_has_speakers_of_its_own_in_folders_without_the_key(
        self, school: Running, speakers_folder: Path
    ) -> None:
        assert school.ask("GET", "/v1/speakers", headers=OTHERS).json == {"speakers": []}
        for method, path in (("GET", "ana"), ("GET", "ana/profile"), ("DELETE", "ana")):
            refused = school.ask(method, f"/v1/speakers/{path}", headers=OTHERS)
            assert problem(refused) == (404, "unknown_speaker")
            assert str(speakers_folder) not in refused.json["error"]["message"]
        assert problem(school.post(wav(CALL), "/v1/emotions?speaker=ana", **OTHERS)) == (404, "unknown_speaker")
        (file,) = speakers_folder.rglob("ana.speaker")
        assert file.stat().st_mode & 0o077 == 0
        assert not any(key in str(path) for path in speakers_folder.rglob("*") for key in (KEY, OTHER))
        assert problem(school.ask("GET", "/v1/speakers")) == (401, "unauthorised")

    def test_a_profile_moves_from_one_name_to_another(self, school: Running, taught: SpeakerProfile) -> None:
        answer = put(school, "Änne 2".replace(" ", "%20").replace("Ä", "%C3%84"), taught.to_bytes())
        assert (answer.status, answer.json["name"], answer.json["clips"]) == (200, "Änne 2", 3)
        again = put(school, "ana", (taught + taught.voice).to_bytes())
        assert again.json["clips"] == 6, "an import takes the place of what was kept"

    @pytest.mark.usefixtures("taught")
    def test_no_name_is_in_the_log(self, school: Running, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            teach(school, "ana")
            school.ask("GET", "/v1/speakers/ana", headers=ANA)
            school.ask("GET", "/v1/speakers/nobody", headers=ANA)
        text = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("emovox"))
        assert "/v1/speakers/{name}" in text
        assert "ana" not in text
        assert "nobody" not in text


class TestStream:
    @pytest.mark.usefixtures("taught")
    def test_a_call_is_adapted_to_a_speaker_or_to_itself(self, school: Running, toy: Model) -> None:
        plain = Predictor(toy).predict((CALL, RATE)).segments
        for changes, source, clips in (
            ({"speaker": "ana"}, "speaker ana", [3, 3, 3]),
            ({"adapt": True}, "stream", [1, 2, 3]),
            ({"adapt": True, "speaker": "ana"}, "stream", [4, 5, 6]),
        ):
            with school.connect() as socket:
                started = begin(socket, key=KEY, **changes)
                settings = {"adapt": False, "speaker": None} | changes
                assert {name: started[name] for name in settings} == settings
                socket.send(pcm(CALL)[: 32000 * 5])
                socket.send(pcm(CALL)[32000 * 5 :])
                socket.send(END)
                ended = [message for message in rest(socket) if message["type"] == "speech.ended"]
            assert [(message["adapted"]["source"], message["adapted"]["clips"]) for message in ended] == [
                (source, count) for count in clips
            ]
            for message, segment in zip(ended, plain, strict=True):
                assert message["plain_scores"] == pytest.approx(segment.scores, abs=0.02)
                assert set(message["segments"][0]) >= {"plain_scores", "scores"}

    @pytest.mark.usefixtures("taught")
    def test_its_speaker_is_one_of_its_key(self, school: Running) -> None:
        for changes, close in (
            ({"key": OTHER, "speaker": "ana"}, 4404),
            ({"key": KEY, "speaker": "../ana"}, 4422),
            ({"key": "wrong", "speaker": "ana"}, 4401),
            ({"key": KEY, "adapt": "yes"}, 4400),
        ):
            with school.connect() as socket:
                assert begin(socket, **changes)["type"] == "error"
                rest(socket)
                assert close_code(socket) == close

    @pytest.mark.usefixtures("taught")
    def test_it_ends_when_its_speaker_is_deleted(self, school: Running) -> None:
        with school.connect() as socket, school.connect() as other:
            assert begin(socket, key=KEY, speaker="ana")["speaker"] == "ana"
            assert begin(other, key=KEY)["type"] == "session.started"
            assert school.ask("DELETE", "/v1/speakers/ana", headers=ANA).status == 204
            (last,) = rest(socket)
            assert (last["type"], last["code"]) == ("error", "unknown_speaker")
            assert close_code(socket) == 4404
            other.send(END)
            assert received(other)["type"] == "session.ended"


@pytest.mark.parametrize(
    ("query", "scores"), [("adapt=recording", "recording"), ("adapt=channel&channels=split", "channel")]
)
def test_a_recording_is_adapted_to_itself(school: Running, toy: Model, query: str, scores: str) -> None:
    both = np.stack([CALL, CALL[::-1]], axis=1)
    answer = school.post(wav(both), f"/v1/emotions?{query}", **ANA).json
    channels: Any = "split" if "split" in query else "mix"
    expected = Predictor(toy).predict((both.T, RATE), channels=channels, adapt=scores)  # type: ignore[arg-type]
    assert expected.adapted is not None
    assert answer["adapted"] == {
        "source": scores,
        "clips": expected.adapted.clips,
        "seconds": pytest.approx(expected.adapted.seconds, abs=0.01),
    }
    assert answer["scores"] == pytest.approx(expected.scores, abs=0.01)
    assert answer["segments"][0]["plain_scores"]


def test_without_keys_there_is_one_folder_that_two_services_share(toy: Model, tmp_path: Path) -> None:
    options = {"learn": True, "speakers": str(tmp_path / "speakers")}
    with running(toy, tmp_path / "a", **options) as one, running(toy, tmp_path / "b", **options) as two:
        assert one.post(wav(CALL), "/v1/speakers/ana").status == 200
        assert (tmp_path / "speakers" / EVERYONE / "ana.speaker").is_file()
        assert two.post(wav(CALL), "/v1/speakers/ana").json["clips"] == 6
        assert one.post(wav(CALL), "/v1/emotions?speaker=ana").json["adapted"]["clips"] == 6
        with one.connect() as socket:
            begin(socket, speaker="ana")
            assert two.ask("DELETE", "/v1/speakers/ana", headers={"X-API-Key": "any"}).status == 204
            assert rest(socket)[-1]["code"] == "unknown_speaker", "the other service has deleted it"
        assert one.post(wav(CALL), "/v1/emotions?speaker=ana").status == 404


def test_a_recording_whose_speaker_is_deleted_gets_no_answer(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(toy, tmp_path / "jobs", learn=True, speakers=str(tmp_path / "speakers")) as service:
        service.post(wav(CALL), "/v1/speakers/ana")
        before = Predictor.predict

        def slow(self: Predictor, *arguments: Any, **options: Any) -> Any:
            result = before(self, *arguments, **options)
            assert service.ask("DELETE", "/v1/speakers/ana").status == 204
            return result

        monkeypatch.setattr(Predictor, "predict", slow)
        assert problem(service.post(wav(CALL), "/v1/emotions?speaker=ana")) == (404, "unknown_speaker")


def test_the_speaker_of_the_service_serves_all_that_name_no_other(toy: Model, tmp_path: Path) -> None:
    pupil = Predictor(toy).for_speaker()
    adapted = Predictor(toy).for_speaker(pupil.learn((CALL, RATE)), name="ana")
    with running(toy, tmp_path, predictor=adapted) as service:
        assert service.post(wav(CALL)).json["adapted"]["source"] == "speaker ana"
        assert service.post(wav(CALL), "/v1/emotions?adapt=recording").json["adapted"]["source"] == "recording"
        with service.connect() as socket:
            assert begin(socket)["speaker"] == "ana"


def test_the_docs_show_each_route(school: Running) -> None:
    document = json.loads(school.ask("GET", "/openapi.json").body)
    routes = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert {("/v1/speakers", "get"), ("/v1/speakers/{name}", "post"), ("/v1/speakers/{name}/profile", "put")} <= routes
    page = school.ask("GET", "/docs").body.decode()
    assert "a profile, as GET returns it" in page
