"""`emovox compress`: smaller and faster forms of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from emovox.cli.compress_train import distill, prune
from emovox.cli.console import columns, complain, say

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

NEED, EXTRA = "emovox compress", "train"


@app.callback()
def _group() -> None:
    """Make a model smaller and faster."""


app.command()(distill)
app.command()(prune)


@app.command()
def quantize(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a model, path of a NAME.onnx, or a run folder.")
    ],
    output: Annotated[Path, typer.Option(metavar="<NAME.onnx>", help="The new file; NAME.json is written beside it.")],
    calibrate: Annotated[
        str | None,
        typer.Option(
            metavar="<path>",
            help="Recordings that give the ranges of INT8: a folder (labels are not needed), a manifest (.jsonl), a "
            "table (.csv), or the name of a published corpus. Default for a run folder: its training clips.",
        ),
    ] = None,
    train: Annotated[
        bool,
        typer.Option(
            "--train", help="Train weights and scales of the run's network for INT8 first (quantisation-aware)."
        ),
    ] = False,
    target: Annotated[
        Literal["cpu", "tensorrt"],
        typer.Option(help="What runs the file: ONNX Runtime on a CPU or in a browser, or TensorRT."),
    ] = "cpu",
    clips: Annotated[int, typer.Option(min=1, help="Number of recordings that are drawn, at most.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
) -> None:
    """Write the INT8 form of a model, with a card and a report of what changed.

    The encoder computes in integers; the front end and the head stay in float, so adaptation works as before.
    """
    from emovox.runtime.registry import resolve
    from emovox.schema.extras import require

    for module in ("onnx", "sympy"):
        require(module, need=NEED, extra=EXTRA)
    from emovox.cli.watcher import Printer
    from emovox.compression.calibration import calibration_paths, calibration_tiles
    from emovox.compression.int8 import checked_card, quantise
    from emovox.compression.run_models import learnt_network, training_paths

    path = resolve(model)
    card = checked_card(path, output)
    if calibrate is None:
        paths = training_paths(Path(model), clips=clips, seed=seed)
    else:
        paths = calibration_paths(calibrate, clips=clips, seed=seed)
    tiles = calibration_tiles(paths, card)
    learnt = learnt_network(Path(model), report=Printer().steps) if train else None
    complain(f"calibrating on {len(tiles)} tiles")
    made = quantise(path, tiles, output, target=target, learnt=learnt)
    about = made.card.quantisation
    assert about is not None
    rows = [
        ("size", f"{made.after / 1e6:.2f} MB, before {made.before / 1e6:.2f} MB"),
        ("labels unchanged", f"{100 * about.unchanged:.1f} % of {about.tiles} calibration tiles"),
        ("largest change of a score", f"{about.largest_change:.3f}"),
        ("products in integers", _counts(about.operators)),
        ("products in float", _counts(made.float_products)),
        ("figures on the card", f"of the {about.figures} model"),
    ]
    say(columns([[name, value] for name, value in rows]), nl=False)
    complain(f"model: {output}")


def _counts(operators: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in operators.items()) or "none"
