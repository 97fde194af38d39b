"""Summarise one party of a stereo call: how the customer sounded, minute by minute.

    python examples/call_summary.py call.wav --customer 1

Only the customer's channel is analysed. The EU prohibits inferring the emotions of the person who works on the other
channel (Article 5(1)(f) of the AI Act), and this script has no option for it. Inform the customer beforehand and ask
for consent; see RESPONSIBLE_USE.md. Decide nothing about anyone from the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import emovox
from emovox import Result, Segment

BLOCK_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the summary of a call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("call", help="recording with one party per channel")
    parser.add_argument("--customer", type=int, required=True, help="channel of the customer, from 0")
    parser.add_argument("--model", help="name of a shipped model")
    given = parser.parse_args(arguments)
    result = emovox.load(given.model).predict(given.call, channels=given.customer)
    print("\n".join(summary(result)))


def summary(result: Result) -> list[str]:
    """Return one line per minute, and one for the whole call."""
    lines = []
    for block in range(int(result.duration // BLOCK_SECONDS) + 1):
        inside = [
            segment for segment in result.segments if int(segment.start // BLOCK_SECONDS) == block and not segment.code
        ]
        spoken = sum(segment.end - segment.start for segment in inside)
        lines.append(f"minute {block + 1:3}  {spoken:4.0f} s of speech  {leading(inside)}")
    total = result.label or "uncertain"
    lines.append(f"whole call: {total}" + (f" ({result.confidence:.2f})" if result.confidence is not None else ""))
    return lines


def leading(segments: Sequence[Segment]) -> str:
    """Return the label of most of the speech, with its share; "uncertain" stands for speech without a label."""
    seconds: dict[str, float] = {}
    for segment in segments:
        label = segment.label or "uncertain"
        seconds[label] = seconds.get(label, 0.0) + segment.end - segment.start
    if not seconds:
        return "silence"
    label = max(seconds, key=seconds.__getitem__)
    return f"{label} {seconds[label] / sum(seconds.values()):.0%}"


if __name__ == "__main__":
    try:
        main()
    except emovox.EmovoxError as error:
        sys.exit(f"error: {error}")
