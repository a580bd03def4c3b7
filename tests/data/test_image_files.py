import cv2
import numpy as np
import pytest
from PIL import Image

from udas_tf.data import image_files
from udas_tf.data.image_files import LabelCode, Unusable
from udas_tf.taxonomy import CITYSCAPES, ClassSet

TWO_CLASSES = ClassSet("two", ("road", "car"), ((128, 64, 128), (0, 0, 142)))


def saved(path, array, **options):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)
    return path


def noise(height=40, width=60):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def truncated(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def test_an_image_of_the_size_asked_for_stays_as_it_is(tmp_path):
    image, original = image_files.read_image(saved(tmp_path / "a.png", noise()), (40, 60))
    np.testing.assert_array_equal(image, noise())
    assert original == (40, 60) and image.dtype == np.uint8


def test_reduction_averages_instead_of_picking(tmp_path):
    """A pattern finer than the pixels of the result becomes its mean, not stripes."""
    stripes = np.zeros((64, 128, 3), np.uint8)
    stripes[:, ::2] = 200
    image, original = image_files.read_image(saved(tmp_path / "a.png", stripes), (16, 32))
    assert original == (64, 128)
    assert abs(image[2:-2, 2:-2].astype(int) - 100).max() <= 2


def test_a_jpeg_is_reduced_while_it_is_decoded_and_tells_its_own_size(tmp_path):
    smooth = cv2.resize(noise(6, 10), (320, 192), interpolation=cv2.INTER_CUBIC)
    path = saved(tmp_path / "a.jpg", smooth, quality=95)
    image, original = image_files.read_image(path, (48, 80))
    assert original == (192, 320)
    expected = cv2.resize(smooth, (80, 48), interpolation=cv2.INTER_AREA)
    assert abs(image.astype(int) - expected).mean() < 3


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK"])
def test_images_of_other_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.fromarray(noise()).convert(mode).save(path)
    assert image_files.read_image(path, (20, 30))[0].shape == (20, 30, 3)


def test_an_image_of_sixteen_bits_is_refused(tmp_path):
    Image.fromarray(np.full((4, 8), 40_000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(Unusable, match="mode I;16"):
        image_files.read_image(tmp_path / "a.png", (4, 8))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize(
    "read", [lambda path: image_files.read_image(path, (20, 30)), image_files.read_label]
)
def test_damaged_files_are_refused_with_path_and_reason(tmp_path, suffix, read):
    path = truncated(saved(tmp_path / f"a{suffix}", noise()))
    with pytest.raises(Unusable, match="cannot be read") as raised:
        read(path)
    assert raised.value.path == path and str(path) not in raised.value.reason
    path.write_bytes(b"no picture")
    with pytest.raises(Unusable, match="no image format"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(Unusable):
        read(path)
    path.unlink()
    with pytest.raises(Unusable, match="does not exist"):
        read(path)


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path):
    path = saved(tmp_path / "a.png", noise())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    for read in (lambda path: image_files.read_image(path, (20, 30)), image_files.read_first_channel):
        with pytest.raises(Unusable):
            read(path)


def test_labels_of_one_channel_and_of_colours(tmp_path):
    ids = np.arange(32, dtype=np.uint8).reshape(4, 8)
    np.testing.assert_array_equal(image_files.read_label(saved(tmp_path / "l.png", ids)), ids)
    palette = Image.fromarray(ids)
    palette.putpalette(bytes(range(256)) * 3)  # its colours mean nothing
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(image_files.read_label(tmp_path / "p.png"), ids)
    Image.fromarray(ids.astype(np.uint16) * 100).save(tmp_path / "wide.png")
    np.testing.assert_array_equal(image_files.read_label(tmp_path / "wide.png"), ids.astype(int) * 100)
    for mode in ("RGB", "RGBA"):
        Image.fromarray(noise()).convert(mode).save(tmp_path / "c.png")
        np.testing.assert_array_equal(image_files.read_label(tmp_path / "c.png"), noise())
    Image.fromarray(ids).convert("LA").save(tmp_path / "la.png")
    with pytest.raises(Unusable, match="label of mode LA"):
        image_files.read_label(tmp_path / "la.png")


def test_the_first_channel_of_sixteen_bits(tmp_path):
    ids = np.random.default_rng(1).integers(0, 23, (12, 20)).astype(np.uint16)
    instances = np.random.default_rng(2).integers(0, 60_000, (12, 20)).astype(np.uint16)
    path = tmp_path / "synthia.png"
    cv2.imwrite(str(path), np.dstack([np.zeros_like(ids), instances, ids]))  # blue, green, red
    np.testing.assert_array_equal(image_files.read_first_channel(path), ids)
    np.testing.assert_array_equal(image_files.read_first_channel(saved(tmp_path / "l.png", ids)), ids)
    truncated(path)
    with pytest.raises(Unusable, match="truncated or damaged"):
        image_files.read_first_channel(path)
    path.write_bytes(b"")
    with pytest.raises(Unusable):
        image_files.read_first_channel(path)
    path.unlink()
    with pytest.raises(Unusable):
        image_files.read_first_channel(path)


def test_labels_shrink_to_the_pixel_in_the_middle():
    label = np.arange(81, dtype=np.uint8).reshape(9, 9)
    np.testing.assert_array_equal(image_files.resize_label(label, (3, 3)), label[1::3, 1::3])


def test_a_code_leads_from_files_to_the_class_set_of_a_run(tmp_path):
    code = LabelCode(TWO_CLASSES, {7: "road", 26: "car", 0: None}, {(1, 2, 3): "car", (0, 0, 0): None})
    in_ids = saved(tmp_path / "ids.png", [[7, 26, 0, 7]])
    in_colour = saved(tmp_path / "colour.png", [[[1, 2, 3], [0, 0, 0]]])
    own = code.reader(TWO_CLASSES)
    assert own(in_ids).tolist() == [[0, 1, 255, 0]] and own(in_ids).dtype == np.uint8
    assert own(in_colour).tolist() == [[1, 255]]
    assert code.reader(CITYSCAPES)(in_ids).tolist() == [[0, 13, 255, 0]]
    only_cars = ClassSet("cars", ("car", "bus"), ((0, 0, 142), (0, 60, 100)))
    assert code.reader(only_cars)(in_ids).tolist() == [[255, 0, 255, 255]]


def test_values_outside_the_map_are_named(tmp_path):
    code = LabelCode(TWO_CLASSES, {7: "road"}, {(1, 2, 3): "car"})
    read = code.reader(TWO_CLASSES)
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 8, 255$"):
        read(saved(tmp_path / "a.png", [[7, 8, 255]]))
    with pytest.raises(Unusable, match="colours outside the map of its data set: #0a0b0c$"):
        read(saved(tmp_path / "b.png", [[[1, 2, 3], [10, 11, 12]]]))
    with pytest.raises(Unusable, match="0, 1, 2, 3, 4, 5, 6, 8 and 12 more$"):
        read(saved(tmp_path / "c.png", [range(21)]))
    Image.fromarray(np.array([[40_000]], np.uint16)).save(tmp_path / "d.png")
    with pytest.raises(Unusable, match="40000"):
        read(tmp_path / "d.png")
    with pytest.raises(Unusable, match="RGB label; expected one channel"):
        LabelCode(TWO_CLASSES, {7: "road"}).reader(TWO_CLASSES)(tmp_path / "b.png")
