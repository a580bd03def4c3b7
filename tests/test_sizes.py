from udas_tf.sizes import size_text


def test_height_comes_before_width():
    assert size_text((360, 640)) == "360x640"
    assert size_text((8, 16, 3)) == "8x16"  # the shape of an image
