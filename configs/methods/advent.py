"""AdvEnt [Vu et al. 2019], on the data, network and steps of another config.

bin/udas run --config=configs/methods/advent.py:configs/quickstart.py --workdir=runs/advent

As configs/methods/adaptsegnet.py, with discriminators that see the weighted self-information -p log2 p / log2 C
instead of p. The weights are those of valeoai/ADVENT, advent/domain_adaptation/config.py, whatever the base, and are
AdaptSegNet's, as its learning rates are.
"""

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py"):
    config = load(f"configs/methods/adaptsegnet.py:{base}")
    config.uda.adversary = "self_information"
    return config
