"""Seg-Uncertainty [Zheng & Yang 2020, 2021], on the data, network and steps of another config.

bin/udas run --config=configs/methods/seg_uncertainty.py:configs/quickstart.py --workdir=runs/seg_uncertainty

First comes adaptation with memory regularisation: least-squares multi-scale discriminators, and after a warm-up both
classifiers are held to their mean. Then one student starts from that network and learns from its pseudo-labels alone,
all of them, each weighted by how far the two classifiers agree. There are no target labels. The weights of the losses
are those of layumi/Seg-Uncertainty, README.md, trainer_ms.py and trainer_ms_variance.py, whatever the base. Where the
base trains with SGD, as the official code does, the learning rates are the official 2e-4 and 1e-4. Otherwise rates stay
the base's.

Not taken over: the network (--config.model.head=seg_uncertainty selects it); Nesterov momentum and the warm-up of the
rate; class weights, and the hardest fifth of the pixels, on the source; the gradient penalty of the discriminators; the
mean of both classifiers that the discriminators see of the source; and pseudo-labels averaged over flips and scales.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(base)
    started = config.row.adaptation.start is not None
    config.rows = ("no_adaptation", "adaptation", "student") if started else ("adaptation", "student")
    config.data.target.labelled = 0
    config.model.auxiliary = True
    config.uda.weight_auxiliary = 0.5
    config.uda.discriminator_input = "softmax"
    config.uda.adversarial_loss = "least_squares"
    config.uda.discriminator = "multi_scale"
    config.uda.discriminator_width = min(config.uda.discriminator_width, 32)
    # Official: 1e-3 and 2e-4, of a loss that is doubled (model/ms_discriminator.py, calc_gen_loss)
    config.uda.weight_adv_primary = 2e-3
    config.uda.weight_adv_auxiliary = 4e-4
    config.uda.weight_kl = 0.1
    config.uda.kl = "memory"
    config.uda.kl_warmup = 0.15
    config.pseudo_label.views = 1
    config.pseudo_label.threshold = 0.0
    config.pseudo_label.min_class_fraction = 0.0
    config.row.student.rounds = 1
    config.row.student.teacher = "adaptation"
    config.row.student.start = "teacher"
    config.student.weight_auxiliary = 0.5
    config.student.rectify = True
    config.student.weight_labelled = 0.0
    config.student.weight_pseudo = 1.0
    config.student.weight_consistency = 0.0
    config.student.class_weight_power = 0.0
    config.student.cutmix_pseudo = False
    config.student.augment_pseudo = "flip"
    if config.uda.optimizer == "sgd":
        config.uda.learning_rate = 2e-4
    if config.student.optimizer == "sgd":
        config.student.learning_rate = 1e-4
    return config
