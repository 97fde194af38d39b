"""An encoder that learns as an INT8 graph: batch norm folded, layer norm smoothed, products rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from emovox.models.fake_quantisation import Activation, BiasUnits, Range, WeightLevels, by_output
from emovox.models.masked import ConvNorm
from emovox.models.network import Encoder
from emovox.models.whisper import Attention
from emovox.schema.errors import ModelError

SMOOTHING = 0.5
"""Share, in [0, 1], of the spread of an activation's channels that moves into the weights."""

CORRECTED = 20
"""Number of tiles, at most, that correct the biases."""

Product = nn.Linear | nn.Conv1d | nn.Conv2d


class LearntRanges(NamedTuple):
    """What a convolution or affine map has learnt beside its weights.

    Attributes:
        steps: [outputs] of the weights, above 0.
        incoming: levels of the input.
        outgoing: levels of the output; None: it stays float.
    """

    steps: Tensor
    incoming: Range
    outgoing: Range | None


def products(encoder: nn.Module) -> dict[str, Product]:
    """Return the convolutions and affine maps that an INT8 graph computes in integers, by path.

    Raises:
        ModelError: there is none.
    """
    found = {
        path: module
        for path, module in encoder.named_modules()
        if isinstance(module, Product) and "front_end" not in path.split(".")
    }
    if not found:
        raise ModelError(
            f"{type(encoder).__name__} has no convolution or affine map to quantise, expected an encoder such as "
            "mobile, hybrid or whisper"
        )
    return found


@torch.no_grad()
def prepare(encoder: Encoder, tiles: Sequence[Tensor]) -> None:
    """Make an encoder compute and learn as an INT8 graph, in place; all but products and their ranges is frozen.

    Args:
        encoder: a trained one.
        tiles: samples [n] each, one or more; the first ranges are the smallest and largest values on them.

    Raises:
        ModelError: the encoder has nothing to quantise.
    """
    encoder.eval().requires_grad_(False)
    _fold_norms(encoder)
    present = list(products(encoder).values())
    groups = _by_input(present, encoder, tiles)
    before = {id(one.out_proj): one.v_proj for one in encoder.modules() if isinstance(one, Attention)}
    for norm, group, peaks in groups:
        source = norm if norm is not None else before.get(id(group[0]))
        if source is not None and all(isinstance(module, nn.Linear) for module in group):
            _smooth(source, [cast("nn.Linear", module) for module in group], peaks)
    true = deepcopy(encoder)
    owners = {id(layer.conv): layer for layer in encoder.modules() if isinstance(layer, ConvNorm)}
    for _, group, _ in groups:
        incoming = Activation()
        for module in group:
            _quantise(module, owners.get(id(module)), incoming)
    for tile in tiles:
        encoder(tile[None])
    for part in encoder.modules():
        if isinstance(part, Activation):
            part.settle()
    order = {id(module): number for number, (_, group, _) in enumerate(groups) for module in group}
    _correct_biases(encoder, true, order, tiles[:CORRECTED])


def _correct_biases(encoder: Encoder, true: Encoder, order: Mapping[int, int], tiles: Sequence[Tensor]) -> None:
    """Give the outputs of each product the means that they have in float, from the first product to the last.

    Reference:
        Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019, section 4.2.
    """
    places = _biased(encoder)
    wanted = _mean_outputs(true, _biased(true), tiles)
    for number in sorted(set(order.values())):
        found = _mean_outputs(encoder, places, tiles)
        for path, module in products(encoder).items():
            place = places[path]
            if order.get(id(module)) == number and place.bias is not None:
                bias = cast("nn.ModuleDict", place.parametrizations)["bias"]
                units = cast("BiasUnits", cast("nn.ModuleList", bias)[0])
                cast("Tensor", bias.original).add_((wanted[path] - found[path]) / units.first)


def _biased(encoder: nn.Module) -> dict[str, nn.Module]:
    """Return the module that adds the bias of each product, by the path of the product."""
    norms = {id(layer.conv): layer.norm for layer in encoder.modules() if isinstance(layer, ConvNorm)}
    return {path: norms.get(id(module), module) for path, module in products(encoder).items()}


def _mean_outputs(encoder: Encoder, places: Mapping[str, nn.Module], tiles: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the mean of each channel of the outputs of modules, over all frames of the tiles."""
    sums: dict[str, Tensor] = {}

    def add(path: str, module: nn.Module, output: Tensor) -> None:
        channel = output.ndim - 1 if isinstance(module, nn.Linear) else 1
        mean = output.mean([axis for axis in range(output.ndim) if axis != channel]) / len(tiles)
        sums[path] = sums[path] + mean if path in sums else mean

    handles = [
        module.register_forward_hook(lambda module, _, output, path=path: add(path, module, output))
        for path, module in places.items()
    ]
    for tile in tiles:
        encoder(tile[None])
    for handle in handles:
        handle.remove()
    return sums


def _fold_norms(encoder: nn.Module) -> None:
    """Move the gain of each batch norm into the convolution before it; only a bias is left of the norm."""
    for layer in encoder.modules():
        if isinstance(layer, ConvNorm):
            norm = layer.norm
            mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
            gain = norm.weight / (variance + norm.eps).sqrt()
            layer.conv.weight.mul_(gain[:, None, None, None])
            norm.bias.sub_(mean * gain)
            norm.weight.fill_(1)
            mean.zero_()
            variance.fill_(1 - norm.eps)


Group = tuple[nn.LayerNorm | None, list[Product], Tensor]
"""The layer norm that makes a tensor, the products that read it, and the largest value [c] of each of its channels."""


def _by_input(modules: Sequence[Product], encoder: Encoder, tiles: Sequence[Tensor]) -> list[Group]:
    """Return the products that run, grouped by the tensor that they read: a graph has one scale for a tensor."""
    readers: dict[int, tuple[Tensor, list[Product]]] = {}
    normal: dict[int, tuple[Tensor, nn.LayerNorm]] = {}
    peaks: dict[int, Tensor] = {}

    def read(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found = inputs[0].abs().flatten(0, -2).amax(0)
        if isinstance(module, nn.Linear):
            peaks[id(module)] = torch.maximum(peaks.get(id(module), found), found)
        readers.setdefault(id(inputs[0]), (inputs[0], []))[1].append(cast("Product", module))

    def made(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        normal[id(output)] = output, cast("nn.LayerNorm", module)

    norms = [module for module in encoder.modules() if isinstance(module, nn.LayerNorm)]
    handles = [module.register_forward_pre_hook(read) for module in modules]
    handles += [module.register_forward_hook(made) for module in norms]
    for tile in tiles:
        readers.clear()  # tensors are kept during a pass, so that no two have one id
        normal.clear()
        encoder(tile[None])
    for handle in handles:
        handle.remove()
    return [
        (normal[key][1] if key in normal else None, group, peaks.get(id(group[0]), torch.ones(1)))
        for key, (_, group) in readers.items()
    ]


def _smooth(source: nn.LayerNorm | nn.Linear, group: Sequence[nn.Linear], peaks: Tensor) -> None:
    """Divide the channels that `source` makes by their spread and multiply the next weights by it: the same in float.

    Reference:
        Xiao et al., "SmoothQuant", ICML 2023, equation 4.
    """
    weights = torch.stack([module.weight.abs().amax(0) for module in group]).amax(0)
    spread = peaks.clamp_min(1e-5) ** SMOOTHING / weights.clamp_min(1e-5) ** (1 - SMOOTHING)
    spread /= spread.log().mean().exp()
    source.weight.div_(by_output(spread, source.weight))
    if source.bias is not None:
        source.bias.div_(spread)
    for module in group:
        module.weight.mul_(spread)


def _quantise(module: Product, owner: ConvNorm | None, incoming: Activation) -> None:
    levels = WeightLevels(module.weight)
    biased: nn.Module = module if owner is None else owner.norm
    parametrize.register_parametrization(module, "weight", levels)
    if biased.bias is not None:
        parametrize.register_parametrization(biased, "bias", BiasUnits(levels.first))
        biased.parametrizations.requires_grad_(True)
    module.parametrizations.requires_grad_(True)
    module.add_module("incoming", incoming)
    module.register_forward_pre_hook(lambda _, inputs: (incoming(inputs[0]),))
    if not isinstance(module, nn.Linear):
        outgoing = Activation()
        module.add_module("outgoing", outgoing)
        (module if owner is None else owner).register_forward_hook(lambda _, __, output: outgoing(output))


@torch.no_grad()
def learnt_encoder(prepared: Encoder, encoder: Encoder) -> dict[str, LearntRanges]:
    """Put what a prepared encoder has learnt into the ordinary one that it was made from, in place.

    Args:
        prepared: its weights, rounded to their levels, its biases and layer norms are taken.
        encoder: an encoder of the same kind and sizes.

    Returns:
        The ranges of each product that ran, by path.
    """
    _fold_norms(encoder)
    values = dict(prepared.named_modules())
    for path, module in encoder.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            parameter.copy_(cast("Tensor", getattr(values[path], name)))
    return {
        path: _ranges(module)
        for path, module in products(prepared).items()
        if parametrize.is_parametrized(module, "weight")
    }


def _ranges(module: Product) -> LearntRanges:
    weight = cast("nn.ModuleDict", module.parametrizations)["weight"]
    levels = cast("WeightLevels", cast("nn.ModuleList", weight)[0])
    outgoing = cast("Activation", module.outgoing).range if hasattr(module, "outgoing") else None
    return LearntRanges(levels.steps().detach(), cast("Activation", module.incoming).range, outgoing)


def weight_levels(weight: Tensor, ranges: LearntRanges) -> Tensor:
    """Return rounded weights [outputs, …] in whole numbers of their steps, also after storage in half precision."""
    return (weight / by_output(ranges.steps, weight)).round()


def to_tensors(ranges: Mapping[str, LearntRanges]) -> dict[str, Tensor]:
    """Return ranges as named tensors: PATH.steps [outputs], PATH.incoming and PATH.outgoing [2] (step, zero)."""
    found = {}
    for path, one in ranges.items():
        found[f"{path}.steps"] = one.steps.contiguous()
        found[f"{path}.incoming"] = torch.tensor(one.incoming, dtype=torch.float64)
        if one.outgoing is not None:
            found[f"{path}.outgoing"] = torch.tensor(one.outgoing, dtype=torch.float64)
    return found


def from_tensors(tensors: Mapping[str, Tensor]) -> dict[str, LearntRanges]:
    """Return what `to_tensors` made tensors of."""

    def levels(name: str) -> Range | None:
        return Range(float(tensors[name][0]), int(tensors[name][1])) if name in tensors else None

    found = {}
    for name, steps in tensors.items():
        path, _, kind = name.rpartition(".")
        incoming = levels(f"{path}.incoming")
        if kind == "steps" and incoming is not None:
            found[path] = LearntRanges(steps, incoming, levels(f"{path}.outgoing"))
    return found
