"""Seg-Uncertainty [Zheng & Yang 2020, 2021], on the data, network and steps of another config.

bin/udas run --config=configs/methods/seg_uncertainty.py:configs/quickstart.py --workdir=runs/seg_uncertainty

First adaptation with memory regularisation: least-squares multi-scale discriminators, and both classifiers held to
their mean after a warm-up. Then one student that starts from it and learns from its pseudo-labels alone, all of them,
each weighed by how far the two classifiers agree. No target labels. The weights are those of layumi/Seg-Uncertainty,
README.md and trainer_ms.py, trainer_ms_variance.py, whatever the base; where the base trains with SGD, as the official
code does, so are the learning rates 2e-4 and 1e-4. Otherwise rates stay the base's.

Not taken over: the network (--config.model.network=seg_uncertainty is it), Nesterov momentum and warm-up of the rate,
class weights and the hardest fifth of the pixels on the source, the discriminators' gradient penalty, the mean of both
domains' classifiers that they see of the source, and the pseudo-labels' average over flips and scales.
"""

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py"):
    config = load(base)
    config.rows = ("no_adaptation", "adaptation") if config.uda.start_from else ("adaptation",)
    config.data.target.labelled = 0
    config.model.auxiliary = True
    config.uda.lambda_seg = 0.5
    config.uda.adversary = "softmax"
    config.uda.adversarial_loss = "least_squares"
    config.uda.discriminator = "multi_scale"
    config.uda.discriminator_width = min(config.uda.discriminator_width, 32)
    # 1e-3 and 2e-4 there, of a loss that is doubled (model/ms_discriminator.py, calc_gen_loss)
    config.uda.weight_adv_primary = 2e-3
    config.uda.weight_adv_auxiliary = 4e-4
    config.uda.weight_kl = 0.1
    config.uda.kl = "memory"
    config.uda.kl_warmup = 0.15
    config.pseudo_label.views = 1
    config.pseudo_label.threshold = 0.0
    config.pseudo_label.class_share = 0.0
    config.student.rounds = 1
    config.student.teacher = "adaptation"
    config.student.start_from = "teacher"
    config.student.lambda_seg = 0.5
    config.student.rectify = True
    config.student.weight_labelled = 0.0
    config.student.weight_pseudo = 1.0
    config.student.weight_consistency = 0.0
    config.student.class_balance = 0.0
    config.student.mix_pseudo = False
    config.student.augment_pseudo = "flip"
    if config.uda.optimizer == "sgd":
        config.uda.learning_rate = 2e-4
    if config.student.optimizer == "sgd":
        config.student.learning_rate = 1e-4
    return config
