"""UDAS, the method of the paper with every row of its ablation, on the data, network and steps of another config.

bin/udas run --config=configs/methods/udas.py:configs/quickstart.py --workdir=runs/udas

Without target labels (--config.data.target.labelled=0), the rows that need labels are left out.
"""

from ml_collections import ConfigDict

from udas_tf.config import base_config, load


def get_config(base: str = "configs/gta5_to_cityscapes.py") -> ConfigDict:
    config = load(base)
    config.rows = base_config().rows
    return config
