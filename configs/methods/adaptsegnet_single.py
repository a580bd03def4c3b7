"""AdaptSegNet, single-level [Tsai et al. 2018], on the data, network and steps of another config.

bin/udas run --config=configs/methods/adaptsegnet_single.py:configs/quickstart.py --workdir=runs/adaptsegnet_single

configs/methods/adaptsegnet.py with the primary classifier and its discriminator alone.
"""

from ml_collections import ConfigDict

from udas_tf.config import load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(f"configs/methods/adaptsegnet.py:{base}")
    config.model.auxiliary = False
    return config
