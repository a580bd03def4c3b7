"""MinEnt [Vu et al. 2019], on the data, network and steps of another config.

bin/udas run --config=configs/methods/minent.py:configs/quickstart.py --workdir=runs/minent

The entropy of both classifiers on the target is minimised. There are no discriminators and no target labels. The
weights of the losses are those of valeoai/ADVENT, advent/domain_adaptation/config.py, whatever the base. Learning rates
stay the base's; in configs/gta5_to_cityscapes.py these are the official ones.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(f"configs/methods/adaptsegnet.py:{base}")
    config.uda.weight_adv_primary = 0.0
    config.uda.weight_adv_auxiliary = 0.0
    config.uda.weight_entropy_primary = 1e-3
    config.uda.weight_entropy_auxiliary = 2e-4
    return config
