"""Which entry of a published checkpoint belongs to which variable of our networks.

`recognise` finds the format of a checkpoint by the names of its entries; `plan` matches the entries with the
variables of a network, before anything is assigned.
"""

from __future__ import annotations

import dataclasses
import re

import keras
import numpy as np

from udas_tf import plugins
from udas_tf.errors import UserError
from udas_tf.models.importers import unwrapping
from udas_tf.models.importers.format import Entries, Format, ImageScale, Rules
from udas_tf.models.layers import CAFFE_MEAN_BGR

FORMATS = "udas_tf.models.importers.formats"
PARAMETERS = {"kernel": "weight", "bias": "bias"}
NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
COUNTERS = r"(.*\.)?num_batches_tracked"  # of PyTorch's batch norms; nothing depends on them


def formats() -> list[Format]:
    """All known formats."""
    modules = (plugins.load(FORMATS, name, "format") for name in plugins.names(FORMATS))
    return [one for module in modules for one in module.FORMATS]


def network_in(entries: Entries) -> Entries:
    """The entries of a network of a known kind, where wrappers of modules have given their names a prefix."""
    known = formats()
    return unwrapping.network(entries, lambda found: any(one.fits(found) for one in known))


def recognise(entries: Entries, part: str) -> Format:
    """The format of a checkpoint; UserError when there is none, or it is of another network than `part`."""
    known = formats()
    found = next((one for one in known if one.fits(entries)), None)
    if found is None:
        names = ", ".join(list(entries)[:3])
        titles = "; ".join(one.title for one in known)
        raise UserError(f"no known kind of checkpoint (it starts with {names}); expected one of: {titles}")
    if found.part != part:
        raise UserError(f"holds the {found.title}; import it with --network={found.part}")
    return found


@dataclasses.dataclass(frozen=True)
class Plan:
    """What goes where. `missing`, `unexpected` and `misshaped` (one line each) must be empty to `apply`."""

    assignments: list[tuple[keras.Variable, np.ndarray]]
    missing: list[str]
    unexpected: list[str]
    misshaped: list[str]
    unused: list[str]  # entries that are expected and not needed
    fresh: list[str]  # layers that keep their initial weights

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def apply(self) -> None:
        for variable, value in self.assignments:
            variable.assign(value)


def plan(network: keras.Model, entries: Entries, kind: Format) -> Plan:
    """Matches the entries of a checkpoint of `kind` with the variables of a network; assigns nothing."""
    wanted: dict[str, keras.Variable] = {}
    missing: list[str] = []
    misshaped, fresh = [], []
    for layer in network.layers:
        if not layer.weights:
            continue
        if kind.fresh and re.fullmatch(kind.fresh, layer.name):
            fresh.append(layer.name)
            continue
        names = _entry_names(layer, kind.rules if isinstance(kind.rules, tuple) else kind.rules(network))
        missing += [f"anything for the layer {layer.name}"] if names is None else []
        wanted |= names or {}
    missing += [name for name in wanted if name not in entries]
    layers = {layer.name for layer in network.layers}
    useless = [pattern for pattern, layer in kind.unused if layer not in layers] + [COUNTERS]
    rest = [name for name in entries if name not in wanted]
    unused = [name for name in rest if any(re.fullmatch(pattern, name) for pattern in useless)]
    values = {name: _to_keras(entries[name]) for name in wanted if name in entries}
    for name, value in values.items():
        if value.shape != tuple(wanted[name].shape):
            expected = _to_torch_shape(tuple(wanted[name].shape))
            misshaped.append(f"{name} is {entries[name].shape}, expected {expected}")
    if kind.scale is not None and not (missing or misshaped):
        values |= _on_caffe_images(values["conv1.weight"], values["bn1.running_mean"], kind.scale)
    assignments = [(wanted[name], value) for name, value in values.items()]
    unexpected = [name for name in rest if name not in unused]
    return Plan(assignments, missing, unexpected, misshaped, unused, fresh)


def _entry_names(layer: keras.layers.Layer, rules: Rules) -> dict[str, keras.Variable] | None:
    """Entry -> variable for all variables of a layer; None where no rule knows it."""
    for pattern, convolution, norm in rules:
        if match := re.fullmatch(pattern, layer.name):
            names = {}
            for variable in layer.weights:
                module, names_of = (convolution, PARAMETERS) if variable.name in PARAMETERS else (norm, NORMALISATION)
                names[f"{match.expand(module)}.{names_of[variable.name]}"] = variable
            return names
    return None


def _to_keras(array: np.ndarray) -> np.ndarray:
    """Kernels of convolutions, transposed or not, from [out, in, height, width] and [in, out, height, width];
    those of dense layers from [out, in]."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def _to_torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if len(shape) != 4 else (shape[3], shape[2], shape[0], shape[1])


def _on_caffe_images(kernel: np.ndarray, mean: np.ndarray, scale: ImageScale) -> dict[str, np.ndarray]:
    """The first convolution and its running mean for images as CaffeNormalization gives them.

    With u = BGR - c as our network sees it, the one imported saw (u + c - m) / d: the kernel takes 1 / d and
    what is constant, sum(kernel (c - m) / d), leaves the running mean. Exact but for the three pixels of zero
    padding at the border, which stand for the colour c instead of m, a level apart.

    Args:
        kernel: [7, 7, 3, 64], channels in `scale.order`.
        mean: [64], the running mean of its batch norm.
    """
    step = -1 if scale.order == "rgb" else 1
    there, deviation = np.array(scale.mean)[::step], np.array(scale.deviation)[::step]
    kernel = kernel[:, :, ::step].astype(np.float64) / deviation[:, None]
    constant = (kernel * (np.array(CAFFE_MEAN_BGR) - there)[:, None]).sum(axis=(0, 1, 2))
    return {"conv1.weight": kernel, "bn1.running_mean": mean - constant}
