"""Rows that several tests render."""

from __future__ import annotations

from emovox.schema.result import Failure, Notice, Result, Segment

RESULT = Result(
    file="日本, a.wav",
    duration=4.25,
    label="angry",
    confidence=2 / 3,
    scores={"sad": 1 / 3, "angry": 2 / 3},
    shares={"angry": 2 / 3, "sad": 1 / 3},
    warnings=(Notice("clipped", "clipped"),),
    segments=(
        Segment(0.25, 2.25, 0, "angry", 1.0, {"sad": 0.0, "angry": 1.0}),
        Segment(2.25, 3.25, 0, None, 5 / 9, {"sad": 5 / 9, "angry": 4 / 9}),
    ),
)
SILENT = Result("quiet.wav", 2.0, None, None, None, {}, (Notice("no_speech", "no speech"),), ())
FAILURE = Failure("b.txt", Notice("undecodable", 'not "audio"'))
