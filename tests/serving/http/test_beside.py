"""Uploads with more than a voice: the face of a video, a transcript, the emotion of its words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emovox.fusion.face import networks
from emovox.fusion.text.emotion import TextEmotion, TextHead
from emovox.fusion.text.encoder import SentenceEncoder
from emovox.schema.labels import EMOTIONS
from emovox.serving.http import beside, uploads
from emovox.testing import speech
from tests.faces import scene, write_video
from tests.sentence_encoder import make_sentence_encoder
from tests.serving.running import BOUNDARY, Answer, Running, all_deleted, wav

FACE = scene((150, 60))
SOUND = np.concatenate([speech(120.0, seconds=1.0), speech(1, seconds=0.8, level=0), speech(350.0, seconds=1.0)])
SRT = "1\n00:00:00,000 --> 00:00:00,900\nI am so glad\n\n2\n00:00:01,900 --> 00:00:02,700\nwhy ?\n"


def post(service: Running, data: bytes, query: str, *transcripts: str, name: str = "a.srt") -> Answer:
    """Send a recording and its transcripts."""
    parts = [("file", "a.mp4", data), *(("transcript", name, text.encode()) for text in transcripts)]
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{part}"; filename="{file}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for part, file, content in parts
    )
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return service.ask("POST", "/v1/emotions" + query, body=body + f"--{BOUNDARY}--\r\n".encode(), headers=kind)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video whose face is there in the first half."""
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    return write_video(path, [FACE] * 7 + [scene()] * 7, rate=5, sound=SOUND).read_bytes()


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are scored by a tiny encoder and a head of chance."""
    encoder, rng = SentenceEncoder.load(make_sentence_encoder(tmp_path)), np.random.default_rng(0)

    def chance(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    head = TextHead(
        EMOTIONS,
        mean=chance(encoder.size),
        hidden=chance(encoder.size, 4),
        hidden_bias=chance(4),
        encoder=chance(4, 7),
        encoder_bias=chance(7),
        rarity=chance(64),
        ngrams=chance(64, 7),
        ngrams_bias=chance(7),
        offset=chance(7),
        share=0.5,
    )
    monkeypatch.setattr(beside, "text_emotion", lambda: TextEmotion(encoder, head))
    monkeypatch.setattr(beside, "_CHECKS", {**beside._CHECKS, "text": lambda: None})  # the package may be missing


def test_the_face_is_beside_the_voice_where_it_is_seen(
    service: Running, video: bytes, spools: list[uploads.Upload]
) -> None:
    plain, both = post(service, video, "").json, post(service, video, "?modalities=voice,face").json
    first, last = both["segments"][0], both["segments"][-1]
    assert list(first["modalities"]) == ["voice", "face"]
    assert first["modalities"]["voice"] == plain["segments"][0]["scores"] != first["scores"]
    assert last.pop("modalities") == {"voice": last["scores"]}
    assert last == plain["segments"][-1]  # bit for bit: no face there
    assert list(both["modalities"]) == ["voice", "face"]
    assert "modalities" not in plain
    heavy = post(service, video, "?modalities=voice,face%3D2").json["segments"][0]
    assert heavy["modalities"] == first["modalities"]
    assert heavy["scores"] != first["scores"]
    assert all_deleted(spools)
    assert service.settled()


def test_sound_without_pictures_and_a_video_without_a_face_are_warnings(service: Running, tmp_path: Path) -> None:
    for data, code in (
        (wav(SOUND), "video"),
        (write_video(tmp_path / "a.mp4", [scene()] * 14, rate=5, sound=SOUND).read_bytes(), "no_face"),
    ):
        plain, both = post(service, data, "").json, post(service, data, "?modalities=voice,face").json
        assert [warning["code"] for warning in both["warnings"]] == [*(w["code"] for w in plain["warnings"]), code]
        assert both["scores"] == plain["scores"]


def test_pictures_without_sound_are_an_error(service: Running, tmp_path: Path) -> None:
    silent = write_video(tmp_path / "a.mp4", [FACE] * 3, rate=5).read_bytes()
    answer = post(service, silent, "?modalities=voice,face")
    assert (answer.status, answer.json["error"]["code"]) == (415, "undecodable")


def test_huge_pictures_are_a_warning_and_the_voice_is_done(service: Running, tmp_path: Path) -> None:
    huge = np.zeros((2400, 4112, 3), np.uint8)
    data = write_video(tmp_path / "a.mp4", [huge], rate=5, sound=SOUND).read_bytes()
    both = post(service, data, "?modalities=voice,face").json
    assert both["warnings"][-1]["code"] == "video"
    assert "expected at most 9437184 pixels" in both["warnings"][-1]["message"]
    assert both["segments"]


@pytest.mark.usefixtures("words")
def test_a_transcript_has_an_emotion_a_line_and_its_words_count_if_asked_for(service: Running) -> None:
    plain, lines = post(service, wav(SOUND), "").json, post(service, wav(SOUND), "", SRT).json
    assert [(line["text"], line["start"]) for line in lines["lines"]] == [("I am so glad", 0.0), ("why ?", 1.9)]
    assert lines["lines"][0]["scores"] is not None
    assert lines["scores"] == plain["scores"]
    both = post(service, wav(SOUND), "?modalities=voice,text", SRT).json
    assert [list(segment["modalities"]) for segment in both["segments"]] == [["voice", "text"]] * 2
    assert both["scores"] != plain["scores"]


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "got no line with text"),
        ("1\n00:00:05,000 --> 00:00:04,000\nno\n", "expected 0 <= start <= end"),
        ("1\n00:01:00,000 --> 00:01:02,000\nno\n", "the transcript ends at 62.0 s"),
        ("1\n00:00:00,000 --> 00:00:00,100\nno\n\n" * 65, "got 65 lines for 2.8 s, expected at most 64"),
    ],
)
def test_a_transcript_that_cannot_be_used_is_a_warning(service: Running, text: str, problem: str) -> None:
    plain = post(service, wav(SOUND), "").json
    both = post(service, wav(SOUND), "?modalities=voice,text", text).json
    assert both["warnings"][-1]["code"] == "transcript"
    assert problem in both["warnings"][-1]["message"]
    assert both["scores"] == plain["scores"]
    assert "lines" not in both


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize(
    ("query", "transcripts", "name", "status", "code"),
    [
        ("?modalities=face", (), "a.srt", 400, "bad_config"),
        ("?modalities=voice,smell", (), "a.srt", 400, "bad_config"),
        ("?modalities=voice,text%3D-1", (SRT,), "a.srt", 400, "bad_config"),
        ("?modalities=voice,face&coverage=90", (), "a.srt", 400, "bad_config"),
        ("?modalities=voice,text", (), "a.srt", 400, "bad_request"),
        ("", (SRT, SRT), "a.srt", 400, "bad_request"),
        ("", (SRT,), "a.docx", 422, "transcript"),
        ("", ("x" * 2_000_001,), "a.srt", 413, "too_large"),
    ],
)
def test_what_is_refused(
    service: Running,
    query: str,
    transcripts: tuple[str, ...],
    name: str,
    status: int,
    code: str,
    spools: list[uploads.Upload],
) -> None:
    answer = post(service, wav(SOUND), query, *transcripts, name=name)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert not spools or all_deleted(spools)
    assert service.settled()


def offered(service: Running) -> list[str]:
    """Return what the service says that an upload may ask for."""
    modalities: list[str] = json.loads(service.ask("GET", "/v1/models").body)["models"][0]["modalities"]
    return modalities


def test_extras_and_networks_that_are_not_here_are_named(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert offered(service)[:2] == ["voice", "face"]
    monkeypatch.setattr(networks, "files", lambda _: tmp_path)
    monkeypatch.setenv("EMOVOX_MODELS", str(tmp_path))
    assert offered(service)[:2] == ["voice", "face"]  # what is loaded stays
    networks.session.cache_clear()
    answer = post(service, wav(SOUND), "?modalities=voice,face")
    assert "face" not in offered(service)
    networks.session.cache_clear()
    assert (answer.status, answer.json["error"]["code"]) == (501, "no_modality")
    assert "get it by emovox models fetch face" in answer.json["error"]["message"]
    monkeypatch.setattr("emovox.schema.extras.find_spec", lambda _: None)
    assert offered(service) == ["voice"]
    for modality in ("face", "text"):
        answer = post(service, wav(SOUND), f"?modalities=voice,{modality}", SRT)
        assert (answer.status, answer.json["error"]["code"]) == (501, "missing_extra")
        assert f"emovox[{modality}]" in answer.json["error"]["message"]


def test_the_documentation_names_the_transcript(service: Running) -> None:
    document = json.loads(service.ask("GET", "/openapi.json").body)
    operation = document["paths"]["/v1/emotions"]["post"]
    (form,) = operation["requestBody"]["content"].values()
    assert list(form["schema"]["properties"]) == ["file", "transcript"]
    assert "modalities" in [parameter["name"] for parameter in operation["parameters"]]
