"""The operator LSTM."""

from __future__ import annotations

from typing import Any

import numpy as np

from emovox.export.c.graph import Handler, Lowering, attributes
from emovox.export.c.products import After, Taps, is_front_end, product_structure, work_size
from emovox.export.c.tensor import Step

GATES = 4


def lstm(lowering: Lowering, node: Any) -> None:
    """Lower an LSTM in one or both directions, from a state of zeros; only its first output may be in use."""
    given = attributes(node)
    direction = given.get("direction", b"forward").decode()
    x, hidden = lowering.tensor(node.input[0]), given["hidden_size"]
    _check(lowering, node, batch=x.shape[1])
    w, r, b = (lowering.array(node, number) for number in (1, 2, 3))
    y = lowering.made(node.output[0])
    features = x.seen(x.array.transpose(1, 2, 0))  # [1, features, steps]
    steps, width = x.shape[0], GATES * hidden
    for number, reverse in enumerate({"forward": [0], "reverse": [1], "bidirectional": [0, 1]}[direction]):
        work = lowering.function.buffer([work_size(w.shape[2], steps)])
        gates = lowering.function.buffer([steps * width + hidden * width + 2 * hidden])
        rows = gates.seen(gates.array[: steps * width].reshape(1, steps, width).swapaxes(1, 2))
        bias = After("", None, b[number].reshape(2, width).sum(axis=0), False)
        name = lowering.program.structure(
            "Lstm",
            input=f"&{product_structure(lowering, node, w[number][None], features, rows, Taps(), bias)}",
            recurrent=f"&{lowering.program.weights(r[number][None], exact=is_front_end(node), layout='columns')}",
            reverse=reverse,
            steps=steps,
            hidden=hidden,
            out_step=y.steps[0],
        )
        lowering.program.use("lstm")
        out = y.seen(y.array[:, number])
        code = f"lstm(&{name}, {features.address()}, {out.address()}, {work.address()}, {gates.address()});"
        lowering.add(Step(code, reads=[x.buffer, work.buffer, gates.buffer], writes=[y.buffer]))


def _check(lowering: Lowering, node: Any, *, batch: int) -> None:
    given = attributes(node)
    extra = sorted(set(given) - {"direction", "hidden_size"})
    if extra:
        raise lowering.refused(node, f"it has {', '.join(extra)}, expected direction and hidden_size alone")
    if batch != 1 or len(node.input) < 4 or any(node.input[7:]) or (len(node.input) > 4 and node.input[4]):
        raise lowering.refused(node, "expected a batch of 1, a bias, and neither lengths nor peepholes")
    states = [lowering.array(node, number) for number in (5, 6) if number < len(node.input) and node.input[number]]
    if any(np.any(state) for state in states):
        raise lowering.refused(node, "its first state is not zero")
    if any(lowering.is_used(name) for name in node.output[1:]):
        raise lowering.refused(node, "its last state is in use, expected its first output alone")


RECURRENT: dict[str, Handler] = {"LSTM": lstm}
