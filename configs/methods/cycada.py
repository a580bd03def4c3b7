"""CyCADA [Hoffman et al. 2018], on the data, network and steps of another config.

bin/udas run --config=configs/methods/cycada.py:configs/quickstart.py --workdir=runs/cycada

First a CycleGAN is trained whose translations keep the classes that the network of the row no_adaptation sees in an
image. Then a network is trained on the translated source. From that network, adaptation goes on with a discriminator of
the features that the classifier reads. There is one classifier, and there are no target labels.

The weights of the losses are official ones, whatever the base. Those of the translation are from
thuml/Transfer-Learning-Library, cycada.py, since jhoffman/cycada_release leaves that part out. Those of the adaptation
are from its scripts/train_fcn_adda.sh and train_fcn_adda.py. There L_adv counts only while the accuracy of the
discriminator is above 60 %, and nothing is trained otherwise. That script feeds the scores to the discriminator; the
features are the paper's, and the script's option `discrim_feat`. Where the base trains with SGD, as the official code
does, both networks of the adaptation have its constant rate of 1e-5 and momentum 0.99. Otherwise rates stay the base's.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(base)
    config.rows = ("no_adaptation", "translation", "translation_adaptation")
    config.data.target.labelled = 0
    config.model.auxiliary = False
    config.translate.weight_cycle = 10.0
    config.translate.weight_identity = 5.0
    config.translate.weight_semantic = 1.0
    config.row.translation_adaptation.start = "translation"
    config.uda.discriminator_input = "features"
    config.uda.adversarial_above_accuracy = 0.6
    config.uda.adversarial_loss = "bce"  # of one logit; the official code has two, with cross entropy
    config.uda.discriminator = "pixelwise"
    config.uda.discriminator_width = 512
    config.uda.weight_adv_primary = 0.1
    if config.uda.optimizer == "sgd":
        config.uda.learning_rate = 1e-5
        config.uda.momentum = 0.99
        config.uda.poly_power = 0.0
        config.uda.head_lr_multiplier = 1.0
        config.uda.discriminator_optimizer = "sgd"
        config.uda.discriminator_learning_rate = 1e-5
    return config
