"""Every key at its default: the paper's setting, GTA5 to Cityscapes at 640x360, but with Streets as both data sets.

docs/configuration.md lists the keys with their units. Other configs start from here, with
`from udas_tf.config import base_config`. On the command line a key is set as `--config.uda.learning_rate=1e-4`.
"""

from ml_collections import ConfigDict

from udas_tf.config import base_config


def get_config() -> ConfigDict:
    return base_config()
