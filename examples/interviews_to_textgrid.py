"""Turn a folder of interviews into one Praat TextGrid each: one tier per channel, uncertain segments marked as such.

    python examples/interviews_to_textgrid.py interviews/ grids/

For research with people who have given consent. The EU prohibits this analysis of interviews with applicants or
employees about their work; see RESPONSIBLE_USE.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import emovox
from emovox.audio.files import audio_files
from emovox.schema.formats import textgrid
from emovox.schema.text import printable_name


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the TextGrids; name on standard error each interview that cannot be read, and continue with the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("interviews", type=Path, help="folder of recordings")
    parser.add_argument("grids", type=Path, help="folder to write to")
    parser.add_argument("--model", help="name of a shipped model")
    given = parser.parse_args(arguments)
    predictor = emovox.load(given.model)
    failed = 0
    taken: set[Path] = set()
    for path in audio_files(given.interviews):
        place = given.grids / path.relative_to(given.interviews)
        target = place.with_suffix(".TextGrid")
        if target in taken:  # call.m4a already has call.TextGrid, so call.wav gets call.wav.TextGrid
            target = place.with_name(f"{place.name}.TextGrid")
        taken.add(target)
        try:
            result = predictor.predict(path, channels="split")
        except emovox.EmovoxError as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textgrid(result), encoding="utf-8")
        print(f"{printable_name(target)}: {len(result.segments)} segments")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except (emovox.EmovoxError, OSError) as error:
        sys.exit(f"error: {error}")
