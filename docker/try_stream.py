"""Send three seconds of a made voice to the live stream of the service on this machine; print the events."""

import asyncio
import json
import math
import struct
import sys

from websockets.asyncio.client import connect

RATE = 16000


def voice(seconds: float) -> bytes:
    """Return a buzz of 140 Hz in syllables, 16-bit little-endian at 16 kHz."""
    frames = []
    for n in range(round(seconds * RATE)):
        time = n / RATE
        loud = 0.5 - 0.5 * math.cos(2 * math.pi * 4 * time)
        buzz = sum(math.sin(2 * math.pi * 140 * k * time) / k for k in range(1, 12))
        frames.append(round(9000 * loud * buzz * (1 + 0.1 * math.sin(2 * math.pi * 3 * time))))
    return struct.pack(f"<{len(frames)}h", *(max(-32768, min(32767, frame)) for frame in frames))


async def main(port: int) -> None:
    """Start a session, send the voice, end it, and print the types of what came back."""
    async with connect(f"ws://127.0.0.1:{port}/v1/stream") as socket:
        await socket.send(json.dumps({"type": "session.start", "sample_rate": RATE, "encoding": "s16le"}))
        data = voice(3.0)
        for start in range(0, len(data), 6400):
            await socket.send(data[start : start + 6400])
        await socket.send(json.dumps({"type": "session.end"}))
        types = [json.loads(message)["type"] async for message in socket]
    print("stream:", " ".join(dict.fromkeys(types)))
    if types[0] != "session.started" or types[-1] != "session.ended":
        sys.exit(f"got {types}, expected session.started first and session.ended last")


asyncio.run(main(int(sys.argv[1])))
