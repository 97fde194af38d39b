"""The WebSocket with a real client over a real socket: the protocol and its errors."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from emovox.audio.encodings import law_table
from emovox.runtime.model import Model
from emovox.runtime.predictor import Predictor
from emovox.schema.events import EmotionUpdated
from emovox.serving.live import streams
from emovox.serving.live.messages import encode
from tests.serving.running import (
    END,
    HANDSHAKE,
    PATIENCE,
    START,
    Running,
    begin,
    close_code,
    connected,
    flood,
    frame,
    pcm,
    received,
    rest,
    running,
    soon,
    wav,
    word,
)

SCORE_TOLERANCE = 2e-4
"""Tolerance of a score: messages have four decimals, and batches differ by rounding."""


def bounds(messages: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [
        (message["type"], message["channel"], message["start"], message.get("end"))
        for message in messages
        if message["type"] in ("speech.started", "speech.ended")
    ]


def test_a_stream_from_start_to_end_is_that_of_the_library(service: Running, toy: Model) -> None:
    data = pcm(np.concatenate([word(150.0), word(400.0)]))
    with service.connect() as socket:
        started = begin(socket)
        assert started == {
            "type": "session.started",
            "model": {"name": "toy", "version": "1.2.0"},
            "labels": list(toy.card.labels),
            "encoding": "s16le",
            "sample_rate": 16000,
            "channels": 1,
            "hop": 0.5,
            "window": 3.0,
            "threshold": 0.0,
            "adapt": False,
            "speaker": None,
        }
        for first in range(0, len(data), 3200):
            socket.send(data[first : first + 3200])
        socket.send(END)
        messages = rest(socket)
        assert close_code(socket) == 1000
    stream = Predictor(toy).stream()
    events = stream.feed((np.frombuffer(data, "<i2") / np.float32(32768)).astype(np.float32)) + stream.flush()
    expected = [json.loads(encode(event)) for event in events if not isinstance(event, EmotionUpdated)]
    assert bounds(messages) == bounds(expected)
    for ours, theirs in zip([m for m in messages if m["type"] == "speech.ended"], expected[1::2], strict=True):
        assert ours["scores"] == pytest.approx(theirs["scores"], abs=SCORE_TOLERANCE)
        assert [segment["start"] for segment in ours["segments"]] == [s["start"] for s in theirs["segments"]]
    assert "emotion.updated" in {message["type"] for message in messages}
    assert messages[-1]["type"] == "session.ended"
    assert messages[-1]["seconds"] == pytest.approx(len(data) / 32000, abs=1e-3)
    assert service.settled()


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_telephony_with_one_party_a_channel(service: Running, encoding: str) -> None:
    table = law_table("mu") if encoding == "mulaw" else law_table("a")
    left, right = word(150.0)[::2], np.zeros(word().size // 2, np.float32)
    coded = np.stack([np.abs(table[:, None] - side).argmin(axis=0) for side in (left, right)], axis=1)
    with service.connect() as socket:
        assert begin(socket, sample_rate=8000, encoding=encoding, channels=2)["channels"] == 2
        data = coded.astype(np.uint8).tobytes()
        for first in range(0, len(data), 320):
            socket.send(data[first : first + 320])
        socket.send(END)
        marks = bounds(rest(socket))
    assert [(kind, channel) for kind, channel, *_ in marks] == [("speech.started", 0), ("speech.ended", 0)]
    assert marks[1][2:] == pytest.approx((0.7, 2.1), abs=0.15)


@pytest.mark.parametrize("rate", [11025, 22050, 44100, 48000])
def test_any_rate_and_floats(service: Running, rate: int) -> None:
    samples = np.interp(np.arange(0, 2.8, 1 / rate), np.arange(word().size) / 16000, word()).astype("<f4")
    with service.connect() as socket:
        begin(socket, sample_rate=rate, encoding="f32le")
        data = samples.tobytes()
        for first in range(0, len(data), 4000):
            socket.send(data[first : first + 4000])
        socket.send(END)
        marks = bounds(rest(socket))
    assert [kind for kind, *_ in marks] == ["speech.started", "speech.ended"]


@pytest.mark.parametrize(
    ("first", "code", "close"),
    [
        ("hello", "bad_message", 4400),
        ('{"type": "session.start", "sample_rate": "x", broken', "bad_message", 4400),
        ('{"type": "session.start", "colour": ' + "[" * 50_000, "bad_message", 4400),
        ("[" * 50_000, "bad_message", 4400),
        ('{"type": "session.begin"}', "bad_message", 4400),
        (json.dumps(START | {"encoding": "mp3"}), "bad_message", 4400),
        (json.dumps(START | {"sample_rate": 96000}), "bad_message", 4400),
        (json.dumps(START | {"channels": 3}), "bad_message", 4400),
        (json.dumps(START | {"colour": "red"}), "bad_message", 4400),
        (json.dumps(START | {"threshold": 1.5}), "bad_message", 4400),
        (json.dumps(START | {"hop": 0.333}), "bad_config", 4400),
        (json.dumps(START | {"hop": 0.02}), "bad_request", 4400),
        (b"\0\0", "bad_message", 4400),
    ],
)
def test_a_wrong_first_message(service: Running, first: str | bytes, code: str, close: int) -> None:
    with service.connect() as socket:
        socket.send(first)
        (message,) = rest(socket)
        assert (message["type"], message["code"]) == ("error", code)
        assert close_code(socket) == close
    assert service.settled()


@pytest.mark.parametrize(
    ("message", "code", "close"),
    [
        (b"\0" * 321, "bad_frame", 4400),
        (b"", "bad_frame", 4400),
        ('{"type": ' + "[" * 50_000, "bad_message", 4400),
        (np.full(160, np.nan, "<f4").tobytes(), "non_finite", 4422),
        (np.full(160, np.inf, "<f4").tobytes(), "non_finite", 4422),
        ("more audio", "bad_message", 4400),
    ],
)
def test_wrong_frames_end_their_own_stream_only(service: Running, message: str | bytes, code: str, close: int) -> None:
    with service.connect() as other, service.connect() as socket:
        begin(other)
        begin(socket, encoding="f32le" if code == "non_finite" else "s16le")
        socket.send(message)
        if code == "non_finite":
            with contextlib.suppress(ConnectionClosed):
                socket.send(np.zeros(8000, "<f4").tobytes())
        last = rest(socket)[-1]
        assert (last["type"], last["code"]) == ("error", code)
        assert close_code(socket) == close
        other.send(pcm(word()))
        other.send(END)
        assert [kind for kind, *_ in bounds(rest(other))] == ["speech.started", "speech.ended"]
    assert service.settled()


def test_a_frame_that_is_too_large(toy: Model, tmp_path: Path) -> None:
    with running(toy, tmp_path, max_frame_kb=10) as service, service.connect() as socket:
        begin(socket)
        socket.send(b"\0" * 20_000)
        rest(socket)
        assert close_code(socket) == 1009
        assert service.settled()


def test_a_page_of_another_site_cannot_open_a_stream(toy: Model, tmp_path: Path) -> None:
    with running(toy, tmp_path, cors=("https://friend.example",)) as service:
        with pytest.raises(InvalidStatus, match="403"):
            service.connect(origin="https://evil.example")
        plain = sockets.create_connection(("127.0.0.1", service.port), timeout=PATIENCE)
        with pytest.raises(InvalidStatus, match="403"):  # a name bent to this address
            connect("ws://evil.example/v1/stream", sock=plain, origin=Origin("http://evil.example"))
        for origin in ("https://friend.example", f"http://127.0.0.1:{service.port}"):
            with service.connect(origin=origin) as socket:
                assert begin(socket)["type"] == "session.started"


def test_keys(toy: Model, tmp_path: Path) -> None:
    key = "correct horse battery"
    with running(toy, tmp_path, keys=(key,)) as service:
        for change in ({}, {"key": "wrong horse battery"}):
            with service.connect() as socket:
                assert begin(socket, **change)["code"] == "unauthorised"
                rest(socket)
                assert close_code(socket) == 4401
        with service.connect() as socket:
            assert begin(socket, key=key)["type"] == "session.started"
        with service.connect(additional_headers={"Authorization": f"Bearer {key}"}) as socket:
            assert begin(socket)["type"] == "session.started"


def test_limits_in_number_and_time(toy: Model, tmp_path: Path) -> None:
    limits = {"max_streams": 1, "start_seconds": 0.5, "idle_seconds": 1.0, "session_seconds": 4.0}
    with running(toy, tmp_path, **limits) as service:
        with service.connect() as first, service.connect() as second:
            begin(first)
            assert begin(second)["code"] == "busy"
            rest(second)
            assert close_code(second) == 4503
            assert rest(first)[-1]["code"] == "idle"
            assert close_code(first) == 4408
        with service.connect() as silent:
            assert rest(silent)[-1]["code"] == "too_slow"
            assert close_code(silent) == 4408
        with service.connect() as long:
            begin(long)
            with contextlib.suppress(ConnectionClosed):
                for _ in range(100):
                    long.send(b"\0" * 3200)
                    time.sleep(0.1)
            assert rest(long)[-1]["code"] == "too_long"
            assert close_code(long) == 4413
        assert service.settled()


def test_silence_for_an_hour_is_silence(service: Running) -> None:
    minute = b"\xff" * 60 * 8000
    with service.connect() as socket:
        begin(socket, sample_rate=8000, encoding="mulaw")
        for _ in range(60):
            for first in range(0, len(minute), 240_000):
                socket.send(minute[first : first + 240_000])
        socket.send(END)
        messages = [json.loads(socket.recv(timeout=4 * PATIENCE))]
    assert messages == [{"type": "session.ended", "seconds": 3600.0, "previews_dropped": 0}]
    assert service.settled()


def test_a_client_that_is_a_hundred_times_too_fast_has_to_wait(toy: Model, tmp_path: Path) -> None:
    data = pcm(np.concatenate([word()] * 12))  # 34 s: the burst of 10 s, then 24 s at ten times real time
    with running(toy, tmp_path, max_speed=10.0) as service, service.connect() as fast, service.connect() as other:
        begin(fast)
        begin(other)
        begun = time.monotonic()
        for first in range(0, len(data), 32_000):
            fast.send(data[first : first + 32_000])
        fast.send(END)
        other.send(pcm(word()))
        other.send(END)
        assert bounds(rest(other))
        messages = rest(fast)
        assert time.monotonic() - begun >= 1.8
        assert sum(message["type"] == "speech.ended" for message in messages) == 12
        assert messages[-1]["seconds"] == pytest.approx(len(data) / 32000, abs=1e-3)


def test_the_stream_of_a_client_that_never_reads_ends(toy: Model, tmp_path: Path) -> None:
    words = frame(pcm(np.concatenate([word(seconds=0.4)] * 3)))
    with running(toy, tmp_path, slow_reader_seconds=1.0, max_speed=1e6) as service:
        with connected(service, window=4096) as raw:
            raw.sendall(frame(json.dumps(START)))
            raw.settimeout(1.0)
            with contextlib.suppress(TimeoutError, ConnectionError):
                flood(raw, words)
            metrics = service.service.metrics
            assert soon(lambda: 'emovox_streams_closed_total{code="slow_reader"} 1.0' in metrics.text().decode())
            assert service.settled()
        with service.connect() as socket:  # its end freed the model for the others
            begin(socket)
            socket.send(pcm(word()))
            socket.send(END)
            assert bounds(rest(socket))


def test_more_connections_than_streams_are_refused_before_their_handshake(
    toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SPARE_CONNECTIONS", 2)
    with running(toy, tmp_path, max_streams=1) as service, contextlib.ExitStack() as stack:
        for number in range(5):
            raw = stack.enter_context(sockets.create_connection(("127.0.0.1", service.port), timeout=PATIENCE))
            raw.sendall(HANDSHAKE + b"\r\n")
            assert raw.recv(65536).startswith(b"HTTP/1.1 101" if number < 3 else b"HTTP/1.1 503")
        assert service.ask("GET", "/healthz").status == 200
        assert service.post(wav(word())).status == 200
        stack.close()
        assert soon(lambda: not service.server.server_state.connections)
        with service.connect() as stream:
            assert begin(stream)["type"] == "session.started"


class TestManySmallFrames:
    def test_keep_their_order(self, service: Running) -> None:
        data = pcm(word())
        with service.connect() as socket:
            begin(socket)
            for at in range(0, len(data), 128):
                socket.send(data[at : at + 128])
            socket.send(END)
            slow = rest(socket)
        with service.connect() as socket:
            begin(socket)
            socket.send(data)
            socket.send(END)
            assert bounds(slow) == bounds(rest(socket))
        assert slow[-1]["seconds"] == pytest.approx(len(data) / 32000, abs=1e-3)

    def test_leave_nothing_when_the_client_leaves(self, service: Running) -> None:
        with connected(service) as raw:
            raw.sendall(frame(json.dumps(START)) + frame(b"\0\0") * 800)
            assert soon(lambda: len(service.service.streams) == 1)
        assert service.settled()
        assert soon(lambda: not service.server.server_state.connections)

    def test_come_before_the_end(self, service: Running) -> None:
        with connected(service) as raw:
            raw.sendall(frame(json.dumps(START)) + frame(b"\0\0") * 800 + frame(END))
            data, begun = b"", time.monotonic()
            while b'"session.ended","seconds":0.05' not in data:
                data += raw.recv(65536)
                assert b"error" not in data
            assert time.monotonic() - begun >= 1.9  # 400 at once, then 200 a second


def test_there_is_one_websocket_only(service: Running) -> None:
    with pytest.raises(InvalidStatus, match="403"), connect(f"ws://127.0.0.1:{service.port}/v1/other"):
        pass


def test_a_client_that_vanishes_leaves_nothing(service: Running) -> None:
    threads = threading.active_count()
    for _ in range(3):
        with service.connect(close_timeout=0.1) as socket:
            begin(socket)
            socket.send(pcm(word())[:40_000])
            socket.socket.shutdown(sockets.SHUT_RDWR)
    assert service.settled()
    assert threading.active_count() <= threads


def test_shutdown_finishes_streams_in_flight(toy: Model, tmp_path: Path) -> None:
    with running(toy, tmp_path) as service, service.connect() as socket:
        begin(socket)
        socket.send(pcm(word())[:60_000])
        assert received(socket)["type"] == "speech.started"
        service.end()
        messages = rest(socket)
        kinds = [message["type"] for message in messages if message["type"] != "emotion.updated"]
        assert kinds == ["speech.ended", "session.ended", "error"]
        assert messages[-1]["code"] == "shutting_down"
        assert close_code(socket) == 1001


def test_a_model_that_fails_is_an_error(toy: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(toy, tmp_path) as service:
        with service.connect() as socket:
            begin(socket)
            monkeypatch.setattr(toy, "run", lambda *_: 1 / 0)
            socket.send(pcm(word()))
            with contextlib.suppress(ConnectionClosed):  # it may have failed by now
                socket.send(END)
            last = rest(socket)[-1]
            assert (last["type"], last["code"]) == ("error", "stream_ended")
            assert close_code(socket) == 4500
        monkeypatch.undo()
        with service.connect() as socket:
            begin(socket)
            socket.send(pcm(word()))
            socket.send(END)
            assert bounds(rest(socket))
        assert service.settled()
