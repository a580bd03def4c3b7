"""TensorFlow and Keras as this package wants them, whatever other projects have set."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
from udas_tf.errors import UserError
from udas_tf.loading import loading_tensorflow
try:
    with loading_tensorflow():
        import keras
except UserError as error:
    print(error)
else:
    convolved = keras.layers.Conv2D(2, 3)(keras.Input((8, 9, 3)))
    config = keras.config
    print(config.backend(), config.floatx(), config.epsilon(), end=" ")
    print(config.image_data_format(), convolved.shape, convolved.dtype)
"""


def loaded(home, **settings):
    """What the program prints for a user whose ~/.keras/keras.json has these settings."""
    (home / ".keras").mkdir()
    (home / ".keras/keras.json").write_text(json.dumps(settings))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS")}
    environment |= {"HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.check_output([sys.executable, "-c", PROGRAM], env=environment, text=True).strip()


@pytest.mark.slow
def test_another_projects_keras_settings_do_not_count(tmp_path):
    settings = loaded(tmp_path, backend="torch", floatx="float16", epsilon=1e-3, image_data_format="channels_first")
    assert settings == "tensorflow float32 1e-07 channels_last (None, 6, 7, 2) float32"


@pytest.mark.slow
def test_settings_that_keras_refuses_are_named_with_their_file(tmp_path):
    settings = loaded(tmp_path, floatx="bfloat16")
    assert settings.startswith(f"Keras refuses {tmp_path}/.keras/keras.json: Invalid `floatx`")
    assert settings.endswith("mend or remove that file")
