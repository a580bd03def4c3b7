"""Names and layouts of published checkpoints, written out by hand."""

import dataclasses

import keras
import numpy as np
import pytest
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1
from small_networks import small

from udas_tf.errors import UserError
from udas_tf.models import discriminators, generators, segmenter
from udas_tf.models.backbones import resnet50
from udas_tf.models.features import Features, Stage
from udas_tf.models.heads import deeplab_v2, seg_uncertainty
from udas_tf.models.importers import keras_resnet, state_dicts
from udas_tf.models.importers.formats import adaptsegnet, torchvision
from udas_tf.models.layers import CAFFE_MEAN_BGR, FrozenBatchNormConv2D


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def on_resnet(head, levels=("primary", "auxiliary"), **keys):
    """A head on a few of a ResNet's layers, named as its, so that networks build fast."""
    images = keras.Input((None, None, 3))
    x = FrozenBatchNormConv2D(64, 7, strides=8, name="conv1")(images)
    stages = {}
    for stage, stride in ((3, 16), (4, 32)):
        x = FrozenBatchNormConv2D(stage, 1, name=f"layer{stage}_0_downsample")(x)
        x = FrozenBatchNormConv2D(stage, 3, name=f"layer{stage}_12_conv2")(x)
        stages[stride] = Stage(f"layer{stage}", x, 8)
    return keras.Model(images, head.build(Features(images, stages), 3, levels, head.Config(**keys)))


def conv(name, *shape, bias=False):
    return {f"{name}.weight": shape} | ({f"{name}.bias": shape[:1]} if bias else {})


def norm(name, channels):
    statistics = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{statistic}": (channels,) for statistic in statistics}


def resnet_shapes(prefix=""):
    shapes = conv("conv1", 64, 3, 7, 7) | norm("bn1", 64)
    for stage, channels in ((3, 64), (4, 3)):
        shapes |= conv(f"layer{stage}.0.downsample.0", stage, channels, 1, 1)
        shapes |= norm(f"layer{stage}.0.downsample.1", stage)
        shapes |= conv(f"layer{stage}.12.conv2", stage, stage, 3, 3) | norm(f"layer{stage}.12.bn2", stage)
    return {prefix + name: shape for name, shape in shapes.items()}


def aspp_shapes(classes=3, branches=4, levels=(("layer5", 3), ("layer6", 4))):
    return {
        name: shape
        for module, channels in levels
        for index in range(branches)
        for name, shape in conv(f"{module}.conv2d_list.{index}", classes, channels, 3, 3, bias=True).items()
    }


def filled(shapes, rng):
    return {name: rng.uniform(0.1, 1, shape).astype("float32") for name, shape in shapes.items()}


def import_into(network, entries, part="segmenter"):
    kind = state_dicts.recognise(entries, part)
    plan = state_dicts.plan(network, entries, kind)
    assert plan.fits, plan
    plan.apply()
    return plan, kind


def variable(network, path):
    layer, name = path.split("/")
    return next(v.numpy() for v in network.get_layer(layer).weights if v.name == name)


# --- segmenters ---------------------------------------------------------------------------------------------


def test_adaptsegnet(rng):
    network = on_resnet(deeplab_v2)
    entries = filled(resnet_shapes() | aspp_shapes(), rng)
    counters = {f"layer3.{index}.bn1.num_batches_tracked": np.array(7) for index in (1, 2)}
    plan, kind = import_into(network, entries | counters)
    assert "model.deeplab_v2.rates" in kind.note and not plan.fresh
    assert plan.unused == list(counters)
    assert len(plan.assignments) == len(network.weights) == len(entries)
    np.testing.assert_array_equal(
        variable(network, "layer4_12_conv2/kernel")[2, 1, 0, 3], entries["layer4.12.conv2.weight"][3, 0, 2, 1]
    )
    for ours, theirs in [
        ("conv1/gamma", "bn1.weight"),
        ("layer3_12_conv2/beta", "layer3.12.bn2.bias"),
        ("layer3_12_conv2/moving_mean", "layer3.12.bn2.running_mean"),
        ("layer4_0_downsample/moving_variance", "layer4.0.downsample.1.running_var"),
        ("primary_classifier_3/bias", "layer6.conv2d_list.3.bias"),
        ("auxiliary_classifier_0/bias", "layer5.conv2d_list.0.bias"),
    ]:
        np.testing.assert_array_equal(variable(network, ours), entries[theirs])


def test_branches_and_levels_the_config_does_without(rng):
    entries = filled(resnet_shapes() | aspp_shapes(), rng)
    plan, _ = import_into(on_resnet(deeplab_v2, rates=(6, 12)), entries)
    left_out = [f"layer{level}.conv2d_list.{index}" for level in (5, 6) for index in (2, 3)]
    assert plan.unused == [f"{module}.{last}" for module in left_out for last in ("weight", "bias")]
    plan, _ = import_into(on_resnet(deeplab_v2, ("primary",)), entries)
    assert plan.unused == [name for name in entries if name.startswith("layer5.")]
    three = on_resnet(deeplab_v2, rates=(6, 12, 18))
    plan = state_dicts.plan(three, entries, adaptsegnet.DEEPLAB)
    assert len(plan.unexpected) == 4 and not plan.fits


def test_single_level(rng):
    network = on_resnet(deeplab_v2, ("primary",))
    entries = filled(resnet_shapes() | aspp_shapes(levels=(("layer5", 4),)), rng)
    _, kind = import_into(network, entries)
    assert "single-level" in kind.title
    np.testing.assert_array_equal(variable(network, "primary_classifier_1/bias"), entries["layer5.conv2d_list.1.bias"])


def test_initial_weights_of_adaptsegnet(rng):
    """A classifier of 21 classes is in the file, under the prefix that all its names have."""
    entries = filled(resnet_shapes("Scale."), rng)
    entries["Scale.layer5.conv2d_list.0.weight"] = np.zeros((21, 4, 3, 3), "float32")
    network = on_resnet(deeplab_v2, rates=(6, 12))
    plan, _ = import_into(network, entries)
    assert plan.unused == ["Scale.layer5.conv2d_list.0.weight"]
    assert sorted(plan.fresh) == [f"{level}_classifier_{i}" for level in ("auxiliary", "primary") for i in (0, 1)]
    np.testing.assert_array_equal(variable(network, "layer3_12_conv2/gamma"), entries["Scale.layer3.12.bn2.weight"])


@pytest.mark.parametrize("squeeze", [True, False])
def test_seg_uncertainty(rng, squeeze):
    shapes = resnet_shapes()
    for module, channels in (("layer5", 3), ("layer6", 7)):
        for index, size in enumerate((1, 3)):
            branch = f"{module}.conv2d_list.{index}"
            shapes |= conv(f"{branch}.0", 256, channels, size, size, bias=True)
            shapes |= conv(f"{branch}.1", 256, bias=True)
        if squeeze:
            shapes |= conv(f"{module}.bottleneck.0.se.0", 32, 512, bias=True)
            shapes |= conv(f"{module}.bottleneck.0.se.2", 512, 32, bias=True)
        first = 1 if squeeze else 0
        shapes |= conv(f"{module}.bottleneck.{first}", 512, 512, 3, 3, bias=True)
        shapes |= conv(f"{module}.bottleneck.{first + 1}", 512, bias=True)
        shapes |= conv(f"{module}.head.1", 3, 512, 1, 1)
    entries = filled(shapes, rng)
    network = on_resnet(seg_uncertainty, rates=(6,), squeeze_excite=squeeze)
    plan, _ = import_into(network, entries)
    assert len(plan.assignments) == len(entries)
    np.testing.assert_array_equal(
        variable(network, "auxiliary_classifier_1_norm/gamma"), entries["layer5.conv2d_list.1.1.weight"]
    )
    if squeeze:
        np.testing.assert_array_equal(
            variable(network, "primary_classifier_squeeze/kernel"),
            entries["layer6.bottleneck.0.se.0.weight"].T,
        )


def test_torchvision_for_images_as_caffe_has_them(rng):
    """The stem on our images gives what torchvision's gives on its own, away from the border."""
    entries = filled(resnet_shapes(), rng)
    entries |= {"fc.weight": np.zeros((10, 4), "float32"), "fc.bias": np.zeros(10, "float32")}
    network = on_resnet(deeplab_v2)
    plan = state_dicts.plan(network, entries, torchvision.MODEL)
    plan.apply()
    assert plan.unused == ["fc.weight", "fc.bias"]
    assert plan.fits and len(plan.fresh) == 8
    pixels = rng.uniform(0, 255, (7, 7, 3))  # one window, RGB
    theirs = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = np.einsum("hwc,ochw->o", theirs, entries["conv1.weight"]) - entries["bn1.running_mean"]
    ours = pixels[..., ::-1] - CAFFE_MEAN_BGR
    got = np.einsum("hwc,hwco->o", ours, variable(network, "conv1/kernel"))
    np.testing.assert_allclose(got - variable(network, "conv1/moving_mean"), expected, rtol=1e-4, atol=1e-4)


def test_keras_resnet_gives_the_same_features(rng, monkeypatch):
    """Biases and epsilon are folded, and strides are in the same place: at every fourth position the dilated
    features are those of the network of output stride 32. On images of one scale, since the folding of the
    scale (the test above) is not exact in the padding around the image."""

    def stack(x):
        for stage, (width, strides) in enumerate(zip((64, 128, 256, 512), (1, 2, 2, 2), strict=True), start=2):
            x = stack_residual_blocks_v1(x, width, 1, strides, f"conv{stage}")
        return x

    theirs = ResNet(stack, False, True, weights=None, include_top=False, input_shape=(65, 97, 3))
    for layer in theirs.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
        elif layer.weights:
            layer.set_weights([rng.normal(0, 0.05, value.shape) for value in layer.get_weights()])
    monkeypatch.setattr(resnet50, "BLOCKS", (1, 1, 1, 1))
    network = segmenter.build("resnet50", "deeplab_v2", 3)
    kind = dataclasses.replace(keras_resnet.FORMAT, scale=None)
    plan = state_dicts.plan(network, keras_resnet.entries(theirs), kind)
    assert plan.fits, plan
    plan.apply()
    images = rng.uniform(0, 255, (1, 65, 97, 3)).astype("float32")
    expected = theirs(images[..., ::-1] - np.array(CAFFE_MEAN_BGR, "float32"))
    features = keras.Model(network.input, network.get_layer("layer4_0_relu").output)
    got = features(images)[:, ::4, ::4]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.max(expected))


# --- discriminators and generators --------------------------------------------------------------------------


def test_output_discriminators(rng):
    widths = ((4, 3), (8, 4), (16, 8), (32, 16), (1, 32))
    for names in (("conv1", "conv2", "conv3", "conv4", "classifier"), ("0", "2", "4", "6", "8")):
        network = discriminators.fully_convolutional(3, width=4)
        shapes = {}
        for name, (out, channels) in zip(names, widths, strict=True):
            shapes |= conv(name, out, channels, 4, 4, bias=True)
        entries = filled(shapes, rng)
        plan, _ = import_into(network, entries, "output_discriminator")
        assert len(plan.assignments) == 10
        np.testing.assert_array_equal(variable(network, "conv2/bias"), entries[f"{names[1]}.bias"])
        np.testing.assert_array_equal(
            variable(network, "conv3/kernel")[3, 2, 1, 0], entries[f"{names[2]}.weight"][0, 1, 3, 2]
        )


def test_multi_scale_discriminator(rng):
    shapes = {}
    for scale in range(3):
        cnn = f"cnns.{scale}"
        for index, (out, channels) in enumerate([(4, 3), (4, 4), (4, 4), (4, 4), (8, 4)]):
            shapes |= conv(f"{cnn}.{index}.conv", out, channels, 3, 3, bias=True)
        for index in range(5, 9):
            for half in range(2):
                shapes |= conv(f"{cnn}.{index}.model.{half}.conv", 8, 8, 3, 3, bias=True)
        shapes |= conv(f"{cnn}.9", 1, 8, 1, 1, bias=True)
    entries = filled(shapes, rng)
    network = discriminators.multi_scale(3, width=4)
    plan, _ = import_into(network, entries, "output_discriminator")
    assert len(plan.assignments) == len(entries)
    np.testing.assert_array_equal(variable(network, "scale1_6_1/bias"), entries["cnns.1.6.model.1.conv.bias"])
    np.testing.assert_array_equal(variable(network, "scale2_9/bias"), entries["cnns.2.9.bias"])


def test_cycle_gan_generator_with_nine_blocks(rng):
    """The indices of the original with its nine blocks: 1, 4, 7, blocks 10 to 18, 19, 22, 26."""
    shapes = conv("model.1", 4, 3, 7, 7, bias=True)
    shapes |= conv("model.4", 8, 4, 3, 3, bias=True) | conv("model.7", 16, 8, 3, 3, bias=True)
    for index in range(10, 19):
        for half in (1, 5):
            shapes |= conv(f"model.{index}.conv_block.{half}", 16, 16, 3, 3, bias=True)
    # Of a transposed convolution the first axis is the input's; its bias the output's.
    shapes |= {"model.19.weight": (16, 8, 3, 3), "model.19.bias": (8,)}
    shapes |= {"model.22.weight": (8, 4, 3, 3), "model.22.bias": (4,)}
    shapes |= conv("model.26", 3, 4, 7, 7, bias=True)
    entries = filled(shapes, rng)
    network = generators.resnet_generator(width=4, blocks=9)
    statistics = {"model.2.running_mean": np.zeros(4), "model.2.running_var": np.ones(4)}
    plan, _ = import_into(network, entries | statistics, "generator")
    assert plan.unused == list(statistics)
    np.testing.assert_array_equal(variable(network, "up0/kernel")[2, 0, 5, 11], entries["model.19.weight"][11, 5, 2, 0])
    np.testing.assert_array_equal(variable(network, "block8_1/bias"), entries["model.18.conv_block.5.bias"])


def test_patch_gan(rng):
    shapes = {}
    for index, out, channels in [(0, 4, 3), (2, 8, 4), (5, 16, 8), (8, 32, 16), (11, 1, 32)]:
        shapes |= conv(f"model.{index}", out, channels, 4, 4, bias=True)
    entries = filled(shapes, rng)
    network = discriminators.patch_gan(width=4)
    import_into(network, entries, "image_discriminator")
    np.testing.assert_array_equal(variable(network, "conv3/bias"), entries["model.8.bias"])
    np.testing.assert_array_equal(variable(network, "conv4/bias"), entries["model.11.bias"])


# --- what does not fit --------------------------------------------------------------------------------------


def test_every_entry_that_does_not_fit_is_named(rng):
    network = discriminators.fully_convolutional(3, width=4)
    before = network.get_weights()
    shapes = {}
    for name, out, channels in [("conv1", 4, 5), ("conv2", 8, 4), ("conv4", 32, 16), ("classifier", 1, 32)]:
        shapes |= conv(name, out, channels, 4, 4, bias=True)
    entries = filled(shapes | {"conv9.weight": (2,)}, rng)
    kind = state_dicts.recognise(entries, "output_discriminator")
    plan = state_dicts.plan(network, entries, kind)
    assert not plan.fits
    assert plan.missing == ["conv3.weight", "conv3.bias"]
    assert plan.unexpected == ["conv9.weight"]
    assert plan.misshaped == ["conv1.weight is (4, 5, 4, 4), expected (4, 3, 4, 4)"]
    for value, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_a_network_of_other_layers(rng):
    network = small()
    plan = state_dicts.plan(network, filled(resnet_shapes(), rng), torchvision.MODEL)
    assert "anything for the layer conv1_norm" in plan.missing and plan.misshaped and plan.unexpected


def test_unknown_and_misplaced_checkpoints():
    with pytest.raises(UserError, match=r"starts with encoder.weight.*expected one of: .*torchvision"):
        state_dicts.recognise({"encoder.weight": np.zeros(1)}, "segmenter")
    with pytest.raises(UserError, match="PatchGAN of CycleGAN; import it with --network=image_discriminator"):
        state_dicts.recognise({"model.0.weight": np.zeros(1)}, "generator")


@pytest.mark.parametrize(
    ("title", "names"),
    [
        (
            "network of Seg-Uncertainty",
            ["layer4.0.conv1", "layer5.conv2d_list.0.0", "layer6.conv2d_list.0.0"],
        ),
        (
            "DeepLab v2 of AdaptSegNet or ADVENT",
            ["layer4.0.conv1", "layer5.conv2d_list.0", "layer6.conv2d_list.0"],
        ),
        ("single-level DeepLab v2 of AdaptSegNet", ["layer4.0.conv1", "layer5.conv2d_list.0"]),
        (
            "initial weights of AdaptSegNet",
            ["Scale.conv1", "Scale.layer4.0.conv1", "Scale.layer5.conv2d_list.0"],
        ),
        ("ResNet of torchvision", ["layer4.0.conv1", "fc"]),
        ("EfficientNet-Lite", ["_conv_stem", "_fc"]),
        ("ResNet generator of CycleGAN", ["model.1", "model.10.conv_block.1", "model.19"]),
        ("PatchGAN of CycleGAN", ["model.0", "model.2", "model.11"]),
        ("discriminator of AdaptSegNet", ["conv1", "conv2", "classifier"]),
        ("discriminator of Seg-Uncertainty", ["cnns.0.0.conv", "cnns.0.9"]),
        ("discriminator of ADVENT", ["0", "2", "8"]),
    ],
)
def test_a_checkpoint_fits_one_format_in_whatever_order_they_are_asked(title, names):
    entries = {f"{name}.weight": np.zeros(1) for name in names}
    assert [one.title for one in state_dicts.formats() if one.fits(entries)] == [title]
