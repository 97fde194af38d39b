"""Keep a diary of how your own voice memos sound: one CSV row per memo, and the latest rows on the screen.

    python examples/mood_diary.py memos/ --diary diary.csv

For recordings of yourself. A score says how a voice sounds compared with actors. It does not say how you feel, and it
is no diagnosis. A memo that is already in the diary is not analysed again. To forget everything, delete the diary.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import emovox
from emovox.audio.files import audio_files
from emovox.schema.text import printable_name

COLUMNS = ("recorded", "memo", "seconds", "label", "confidence")
SHOWN = 7


def main(arguments: Sequence[str] | None = None) -> None:
    """Add new memos one by one, so that a failure loses none of the others; print the latest `SHOWN` rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("memos", type=Path, help="folder of recordings")
    parser.add_argument("--diary", type=Path, default=Path("diary.csv"))
    parser.add_argument("--model", help="name of a shipped model")
    given = parser.parse_args(arguments)
    rows = read(given.diary)
    known = {row["memo"] for row in rows}
    new = [path for path in audio_files(given.memos) if name(path) not in known]
    if new:
        predictor = emovox.load(given.model)
        for path in new:
            try:
                rows.append(entry(predictor, path))
            except OSError as error:  # a broken link has no date; the next run tries it again
                print(f"skipped: {error}", file=sys.stderr)
                continue
            rows.sort(key=lambda row: row["recorded"])
            write(given.diary, rows)
    for row in rows[-SHOWN:]:
        print(f"{row['recorded'][:16]}  {row['label']:10} {row['confidence']:>5}  {Path(row['memo']).name}")


def entry(predictor: emovox.Predictor, path: Path) -> dict[str, str]:
    """Return the diary row of a memo; if the memo cannot be read, the label is the code of the error."""
    recorded = datetime.fromtimestamp(path.stat().st_mtime).isoformat(timespec="seconds")
    try:
        result = predictor.predict(path)
    except emovox.EmovoxError as error:
        return dict(zip(COLUMNS, (recorded, name(path), "", error.code, ""), strict=True))
    confidence = "" if result.confidence is None else f"{result.confidence:.2f}"
    label = "no speech" if result.scores is None else result.label or "uncertain"
    return dict(zip(COLUMNS, (recorded, name(path), f"{result.duration:.1f}", label, confidence), strict=True))


def name(path: Path) -> str:
    r"""Return a memo's name for the CSV: bytes that are not UTF-8 are written as \xff."""
    return printable_name(os.fsencode(path))


def read(diary: Path) -> list[dict[str, str]]:
    """Return the rows of the diary; a missing file has none."""
    if not diary.exists():
        return []
    with diary.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(diary: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write the diary; only its owner may read it."""
    part = diary.with_suffix(".part")
    with os.fdopen(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="", encoding="utf-8"
    ) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    part.replace(diary)


if __name__ == "__main__":
    try:
        main()
    except (emovox.EmovoxError, OSError) as error:
        sys.exit(f"error: {error}")
