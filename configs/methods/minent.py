"""MinEnt [Vu et al. 2019], on the data, network and steps of another config.

bin/udas run --config=configs/methods/minent.py:configs/quickstart.py --workdir=runs/minent

Both classifiers' entropy on the target is minimised; there is no adversary and no target label. The weights are those
of valeoai/ADVENT, advent/domain_adaptation/config.py, whatever the base; learning rates stay the base's, which at the
official scale are the official ones.
"""

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py"):
    config = load(f"configs/methods/adaptsegnet.py:{base}")
    config.uda.weight_adv_primary = 0.0
    config.uda.weight_adv_auxiliary = 0.0
    config.uda.weight_entropy_primary = 1e-3
    config.uda.weight_entropy_auxiliary = 2e-4
    return config
