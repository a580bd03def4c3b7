"""AdaptSegNet, multi-level [Tsai et al. 2018], on the data, network and steps of another config.

bin/udas run --config=configs/methods/adaptsegnet.py:configs/quickstart.py --workdir=runs/adaptsegnet

Each of two classifiers has a discriminator of its softmax maps. There are no target labels. The weights of the losses
are those of wasidennis/AdaptSegNet, train_gta2cityscapes_multi.py, whatever the base; none is scaled for a smaller
base. Learning rates and the width of the discriminators stay the base's. In configs/gta5_to_cityscapes.py these are the
official ones: SGD 2.5e-4, ten times that for the classifiers, Adam 1e-4, poly 0.9, width 64.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(base)
    started = config.row.adaptation.start is not None
    config.rows = ("no_adaptation", "adaptation") if started else ("adaptation",)
    config.data.target.labelled = 0
    config.model.auxiliary = True
    config.uda.weight_auxiliary = 0.1
    config.uda.discriminator_input = "softmax"
    config.uda.adversarial_loss = "bce"
    config.uda.discriminator = "fully_convolutional"
    config.uda.weight_adv_primary = 1e-3
    config.uda.weight_adv_auxiliary = 2e-4
    config.uda.weight_kl = 0.0
    return config
