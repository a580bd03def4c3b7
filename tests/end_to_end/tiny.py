"""The whole method with networks and sets so small that it ends in about a minute: every stage, no shortcut."""

from ml_collections import ConfigDict

from udas_tf.config import base_config


def get_config() -> ConfigDict:
    config = base_config()
    config.jobs = 2
    config.data.size = (48, 96)
    config.data.cache = True
    config.data.shard_images = 6
    config.data.source.images = 16
    config.data.target.images = 12
    config.data.target.labelled = 4
    config.data.target.val_images = 6
    config.model.backbone = "compact"
    config.model.compact.width = 8
    for section in (config.source, config.supervised, config.uda, config.student):
        section.steps = 8
        section.decay_steps = None
        section.batch_size = 2
        section.optimizer = "adamw"
        section.learning_rate = 2e-3
        section.log_every = 2
        section.checkpoint_every = 4
    config.row.adaptation.start = "no_adaptation"
    config.row.translation_adaptation.start = config.row.cutmix.start = "translation"
    config.uda.discriminator_width = 8
    config.row.student.rounds = 1
    config.row.student.start = "teacher"
    config.translate.steps = 4
    config.translate.crop = (32, 32)
    config.translate.width = 8
    config.translate.blocks = 1
    config.translate.discriminator_width = 8
    config.translate.discriminator_layers = 1
    config.translate.log_every = 2
    config.translate.checkpoint_every = 2
    return config
