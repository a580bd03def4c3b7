"""What keeps a config from being trained is noticed before anything is done: single keys, and keys together."""

import pytest

from udas_tf import plugins
from udas_tf.config import METHODS, base_config, override
from udas_tf.errors import UserError

STAGES = ("source", "supervised", "translate", "uda", "student")


def check(stage, keys):
    plugins.load(METHODS, stage, "stage").check(override(base_config(), keys))


@pytest.mark.parametrize("stage", STAGES)
def test_the_defaults_pass(stage):
    check(stage, {})


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("precision", "bf16", "one of float32, mixed_bfloat16, mixed_float16"),
        ("uda.precision", "half", "one of float32, mixed_bfloat16, mixed_float16, or none"),
        ("uda.optimizer", "SGD", "one of sgd, adamw"),
        ("source.augment", "Auto", "one of none, flip, auto"),
        ("student.augment_mixed", "off", "one of none, flip, auto"),
        ("uda.discriminator_input", "entropy", "one of softmax, self_information, features"),
        ("uda.adversarial_loss", "wgan", "one of bce, least_squares"),
        ("uda.kl", "both", "one of symmetric, memory"),
        ("uda.discriminator", "patch", "one of fully_convolutional, multi_scale, pixelwise"),
        ("uda.discriminator_optimizer", "adamw", "one of adam, sgd"),
        ("translate.upsampling", "x", "one of transposed, resize"),
        ("translated.on_disagreement", "keep", "one of keep_source, drop"),
        ("translated.max_disagreement", "2", "a number >= 0 and <= 1, or none"),
        ("data.repeat_factor_threshold", "2", "a number > 0 and <= 1, or none"),
        ("source.scale_range", "0,1", "2 values separated by commas, each a number > 0, or none"),
        ("translate.crop", "0,256", "2 values separated by commas, each a whole number >= 1, or none"),
        ("replicas", "-1", "a whole number >= 1, or none"),
        *(
            (key, "0", "a whole number >= 1")
            for key in (
                *("jobs", "source.log_every", "source.steps", "uda.batch_size", "data.shuffle_buffer"),
                *("evaluate.batch_size", "student.consistency_views", "pseudo_label.views", "pseudo_label.batch_size"),
            )
        ),
    ],
)
def test_a_value_beyond_the_limits_of_its_key_is_named(key, value, expected):
    with pytest.raises(UserError) as raised:
        override(base_config(), {key: value})
    text = str(raised.value)
    assert text.startswith(f"config key {key!r} received ") and text.endswith(f", expected {expected}")


@pytest.mark.parametrize(
    ("stage", "keys", "message"),
    [
        ("source", {"source.steps": 150}, "source.steps=150 is not a multiple of source.log_every=100"),
        ("supervised", {"supervised.steps": 150}, "supervised.steps=150 is not a multiple of supervised.log_every=100"),
        ("uda", {"uda.checkpoint_every": 150}, "uda.checkpoint_every=150 is not a multiple of uda.log_every=100"),
        ("translate", {"translate.steps": 150}, "translate.steps=150 is not a multiple of translate.log_every=100"),
        ("uda", {"uda.decay_steps": 100}, "uda.decay_steps=100 is less than uda.steps=120000"),
        ("source", {"evaluate.every": 150}, "evaluate.every=150 is not a multiple of source.log_every=100"),
        ("translate", {"replicas": 2}, "translate.batch_size=1 cannot be shared evenly by replicas=2"),
        ("source", {"replicas": 2, "xla": True}, "xla=True compiles steps for one device, and replicas=2"),
        ("source", {"source.scale_range": "2,1"}, r"source.scale_range=\(2.0, 1.0\); expected least,greatest"),
        ("translate", {"data.size": "180,240"}, r"translate.crop=\(256, 256\) is larger than data.size=\(180, 240\)"),
        (
            "uda",
            {"uda.discriminator_input": "features", "data.size": "180,240"},
            "shows the discriminator maps of 23 pixels at data.size=.* set uda.discriminator=pixelwise",
        ),
    ],
)
def test_keys_that_do_not_go_together_are_named(stage, keys, message):
    with pytest.raises(UserError, match=message):
        check(stage, keys)


@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        ("uda", {"uda.decay_steps": None}),
        ("uda", {"replicas": 2}),
        ("source", {"replicas": 1, "xla": True}),
        ("translate", {"translate.crop": None, "data.size": "180,240"}),
        # Maps of 32 pixels: a stride of 8, on 8 pixels of padding that the backbone adds.
        (
            "uda",
            {"uda.discriminator_input": "features", "data.size": "246,480", "model.backbone": "efficientnet_lite0"},
        ),
    ],
)
def test_what_can_be_trained_passes(stage, keys):
    check(stage, keys)
