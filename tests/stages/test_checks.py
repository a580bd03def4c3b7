"""What keeps a config from being trained is found before anything is done."""

import pytest

from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.stages import checks

SECTIONS = ("source", "supervised", "translate", "uda", "student")


@pytest.mark.parametrize("name", SECTIONS)
def test_the_defaults_pass(name):
    checks.check(base_config(), name)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("source", {"precision": "bf16"}, "precision='bf16' is unknown; expected one of float32, mixed"),
        ("uda", {"uda.precision": "half"}, "uda.precision='half' is unknown"),
        ("uda", {"uda.optimizer": "SGD"}, "uda.optimizer='SGD' is unknown; expected one of sgd, adamw"),
        (
            "source",
            {"source.augment": "Auto"},
            "source.augment='Auto' is unknown; expected one of none, flip, auto",
        ),
        (
            "uda",
            {"uda.adversary": "entropy"},
            "uda.adversary='entropy' is unknown; expected one of softmax, self_information, features",
        ),
        (
            "uda",
            {"uda.adversarial_loss": "wgan"},
            "uda.adversarial_loss='wgan' is unknown; expected one of bce, least_squares",
        ),
        ("uda", {"uda.kl": "both"}, "uda.kl='both' is unknown; expected one of symmetric, memory"),
        ("uda", {"uda.discriminator": "patch"}, "uda.discriminator='patch' is unknown; .* pixelwise"),
        (
            "uda",
            {"uda.discriminator_optimizer": "adamw"},
            "uda.discriminator_optimizer='adamw' is unknown; expected one of adam, sgd",
        ),
        ("student", {"student.augment_mixed": "off"}, "student.augment_mixed='off' is unknown"),
        ("source", {"source.log_every": "0"}, "source.log_every=0; expected 1 or more"),
        ("source", {"source.steps": "0"}, "source.steps=0 is not a multiple of source.log_every=100"),
        (
            "uda",
            {"uda.checkpoint_every": "150"},
            "uda.checkpoint_every=150 is not a multiple of uda.log_every=100",
        ),
        (
            "translate",
            {"translate.steps": "150"},
            "translate.steps=150 is not a multiple of translate.log_every=100",
        ),
        ("uda", {"uda.schedule_steps": "100"}, "uda.schedule_steps=100 is less than uda.steps=120000"),
        ("source", {"evaluate.every": "150"}, "evaluate.every=150 is not a multiple of source.log_every=100"),
        ("uda", {"uda.batch_size": "0"}, "uda.batch_size=0; expected 1 or more"),
        ("translate", {"replicas": "2"}, "translate.batch_size=1 cannot be shared evenly by replicas=2"),
        ("source", {"source.scale": "0,1"}, "source.scale="),
        ("uda", {"data.shuffle_images": "0"}, "data.shuffle_images=0; expected 1 or more"),
        (
            "uda",
            {"data.repeat_below": "2"},
            "data.repeat_below=2.0 is no share of the images; expected 0 to 1",
        ),
        ("translate", {"translate.on_disagreement": "keep"}, "translate.on_disagreement='keep' is unknown"),
        ("translate", {"translate.max_disagreement": "2"}, "translate.max_disagreement=2.0; expected 0"),
        ("translate", {"data.size": "180,240"}, "translate.crop=\\(256, 256\\) is no part of data.size"),
        (
            "uda",
            {"uda.adversary": "features", "data.size": "180,240"},
            "shows the discriminator maps of 23 pixels at data.size=.* set uda.discriminator=pixelwise",
        ),
        ("source", {"replicas": "-1"}, "replicas=-1; expected 0 or more"),
        (
            "source",
            {"replicas": "2", "xla": "true"},
            "xla=True compiles steps for one device, and replicas=2",
        ),
        ("source", {"evaluate.batch_size": "0"}, "evaluate.batch_size=0; expected 1 or more"),
        ("translate", {"translate.upsampling": "x"}, "translate.upsampling='x' is unknown"),
        ("translate", {"translate.crop": "0,256"}, "expected 1 to that many pixels each way"),
        ("student", {"student.consistency_views": "0"}, "student.consistency_views=0; expected 1 or more"),
        ("student", {"pseudo_label.views": "0"}, "pseudo_label.views=0; expected 1 or more"),
        ("student", {"pseudo_label.batch_size": "0"}, "pseudo_label.batch_size=0; expected 1 or more"),
    ],
)
def test_what_cannot_be_is_named(name, changes, told):
    with pytest.raises(UserError, match=told):
        checks.check(override(base_config(), changes), name)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("student", {"student.consistency_views": "0", "student.weight_consistency": "0"}),
        (
            "uda",
            {"uda.adversary": "features", "data.size": "246,480", "model.backbone": "efficientnet_lite0"},
        ),
        ("translate", {"translate.crop": "0,0", "data.size": "180,240"}),
    ],
)
def test_what_can_be_passes(name, changes):
    checks.check(override(base_config(), changes), name)
