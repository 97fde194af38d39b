"""What tests of taught speakers share: keys, a call, and small clients."""

from __future__ import annotations

import numpy as np

from emovox.adaptation.speaker import SpeakerProfile
from tests.serving.running import Answer, Running, wav, word

KEY, OTHER = "correct horse battery", "another key of mine"
ANA, OTHERS = {"X-API-Key": KEY}, {"X-API-Key": OTHER}
CALL = np.concatenate([word(hz, seconds=2.5) for hz in (300.0, 1200.0, 2400.0)])


def teach(service: Running, name: str, query: str = "", *, sound: bytes = wav(CALL), **headers: str) -> Answer:
    return service.post(sound, f"/v1/speakers/{name}{query}", **(ANA | headers))


def exported(service: Running, name: str) -> SpeakerProfile:
    answer = service.ask("GET", f"/v1/speakers/{name}/profile", headers=ANA)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    return SpeakerProfile.from_bytes(answer.body, where=name)


def put(service: Running, name: str, data: bytes) -> Answer:
    return service.ask("PUT", f"/v1/speakers/{name}/profile", body=data, headers=ANA)


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.json["error"]["message"]
    return answer.status, answer.json["error"]["code"]


def counted(service: Running, how: str) -> float:
    return float(service.service.metrics.speakers.labels(how)._value.get())
