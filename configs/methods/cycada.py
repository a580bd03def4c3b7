"""CyCADA [Hoffman et al. 2018], on the data, network and steps of another config.

bin/udas run --config=configs/methods/cycada.py:configs/quickstart.py --workdir=runs/cycada

A CycleGAN whose translations keep the classes that the network of the row no_adaptation sees in an image; a network
trained on the translated source; then, from that network, adaptation by a discriminator of the features that its
classifier reads. One classifier, no target labels.

The weights are official ones whatever the base: of the translation those of thuml/Transfer-Learning-Library,
cycada.py, since jhoffman/cycada_release leaves that part out; of the adaptation those of its
scripts/train_fcn_adda.sh and train_fcn_adda.py, by which L_adv counts only while the discriminator is right on more
than 60 % (there, nothing is trained otherwise). That script shows the discriminator the scores; the features are the
paper's, and `discrim_feat` there. Where the base trains with SGD, as the official code does, both networks of the
adaptation have its constant rate of 1e-5 and momentum 0.99. Otherwise rates stay the base's.
"""

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py"):
    config = load(base)
    config.rows = ("no_adaptation", "translation", "translation_adaptation")
    config.student.rounds = 0
    config.data.target.labelled = 0
    config.model.auxiliary = False
    config.translate.lambda_cyc = 10.0
    config.translate.lambda_identity = 5.0
    config.translate.weight_semantic = 1.0
    config.uda.start_from = "source"
    config.uda.adversary = "features"
    config.uda.adversary_above = 0.6
    config.uda.adversarial_loss = "bce"  # of one logit, where the code has two and their cross entropy
    config.uda.discriminator = "pixelwise"
    config.uda.discriminator_width = 512
    config.uda.weight_adv_primary = 0.1
    if config.uda.optimizer == "sgd":
        config.uda.learning_rate = 1e-5
        config.uda.momentum = 0.99
        config.uda.poly_power = 0.0
        config.uda.classifier_factor = 1.0
        config.uda.discriminator_optimizer = "sgd"
        config.uda.discriminator_learning_rate = 1e-5
    return config
