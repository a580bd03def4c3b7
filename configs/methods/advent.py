"""AdvEnt [Vu et al. 2019], on the data, network and steps of another config.

bin/udas run --config=configs/methods/advent.py:configs/quickstart.py --workdir=runs/advent

configs/methods/adaptsegnet.py with discriminators that see the weighted self-information -p log2 p / log2 C instead of
p. The weights of the losses are those of valeoai/ADVENT, advent/domain_adaptation/config.py, whatever the base. They
are the same as AdaptSegNet's; so are its learning rates.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(f"configs/methods/adaptsegnet.py:{base}")
    config.uda.discriminator_input = "self_information"
    return config
