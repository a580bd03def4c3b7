"""The whole method on Streets, the embedded data set, on two CPU cores.

bin/udas run --config=configs/quickstart.py --workdir=runs/quickstart
"""

from udas_tf import processor
from udas_tf.config import base_config


def get_config():
    config = base_config()
    config.seed = 1  # the settings below were chosen on the scenes of seed 0, so none of those is scored here
    config.precision = processor.precision()
    config.jobs = 2
    config.data.size = (96, 192)
    config.data.cache = True
    config.data.source.images = 400
    config.data.target.images = 200
    config.data.target.labelled = 20
    config.data.target.val_images = 100
    config.model.backbone = "compact"
    config.model.width = 16
    config.model.blocks = (1, 1, 1, 1)
    for section in (config.source, config.supervised, config.uda, config.student):
        section.batch_size = 4
        section.optimizer = "adamw"
        section.weight_decay = 1e-4
        section.classifier_factor = 1.0
        section.auto_share = 0.25  # some hundred steps are too few to learn under all of AutoAugment
        section.log_every = 25
        section.checkpoint_every = 50
    for section in (config.source, config.supervised):
        section.steps = section.schedule_steps = 800
        section.learning_rate = 3e-3
    # There are no ImageNet weights here: adaptation starts from the network trained on the same source, and a
    # student from its teacher.
    for section, start, steps in ((config.uda, "source", 400), (config.student, "teacher", 350)):
        section.start_from = start
        section.steps = section.schedule_steps = steps
        section.learning_rate = 2e-3
    # With the one threshold and every pixel alike, rare classes fade from round to round (docs/architecture.md).
    config.pseudo_label.class_share = 0.6
    config.student.mix_pseudo = True
    config.student.class_balance = 0.3
    config.student.weight_pseudo = 0.5
    config.uda.discriminator_width = 8
    config.uda.discriminator_learning_rate = 1e-3
    config.uda.weight_adv_primary = 3e-2
    config.uda.weight_adv_auxiliary = 6e-3
    config.uda.weight_kl = 0.01
    config.student.rounds = 2
    config.translate.steps = 700
    config.translate.crop = (64, 64)
    config.translate.width = 16
    config.translate.blocks = 3
    config.translate.discriminator_width = 16
    config.translate.discriminator_layers = 2
    config.translate.learning_rate = 8e-4
    config.translate.log_every = 25
    config.translate.checkpoint_every = 100
    return config
