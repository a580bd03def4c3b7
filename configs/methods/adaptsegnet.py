"""AdaptSegNet, multi-level [Tsai et al. 2018], on the data, network and steps of another config.

bin/udas run --config=configs/methods/adaptsegnet.py:configs/quickstart.py --workdir=runs/adaptsegnet

A discriminator of the softmax maps for each of two classifiers; no target labels. The weights are those of
wasidennis/AdaptSegNet, train_gta2cityscapes_multi.py, whatever the base: none is scaled to a smaller one. Learning
rates and the discriminators' width stay the base's, which at the official scale are the official ones: SGD 2.5e-4, ten
times that for the classifiers, Adam 1e-4, poly 0.9, width 64.
"""

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py"):
    config = load(base)
    config.rows = ("no_adaptation", "adaptation") if config.uda.start_from else ("adaptation",)
    config.student.rounds = 0
    config.data.target.labelled = 0
    config.model.auxiliary = True
    config.uda.lambda_seg = 0.1
    config.uda.adversary = "softmax"
    config.uda.adversarial_loss = "bce"
    config.uda.discriminator = "fully_convolutional"
    config.uda.weight_adv_primary = 1e-3
    config.uda.weight_adv_auxiliary = 2e-4
    config.uda.weight_kl = 0.0
    return config
