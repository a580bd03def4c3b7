from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_networks import small

from udas_tf import prediction
from udas_tf.errors import UserError
from udas_tf.models.heads import deeplab_v2
from udas_tf.prediction import predict
from udas_tf.serving import saved_model
from udas_tf.serving._served import Description
from udas_tf.taxonomy import ClassSet

CLASSES = ClassSet("three", ("road", "sky", "car"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


def save(directory, size=None):
    network = small(num_classes=len(CLASSES), head_keys=deeplab_v2.Config((1, 2)))
    description = Description(CLASSES.name, CLASSES.classes, CLASSES.colours, (32, 64), size)
    saved_model.save(network, directory, description, frozen=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served") / "model"
    save(directory)
    return directory


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def random_image(height, width, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def test_every_image_gets_ids_and_an_overlay_of_its_size(model, folder, tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    random_image(32, 64).save(folder / "a.png")
    random_image(64, 128).save(folder / "b.JPG")
    random_image(16, 17).convert("L").save(folder / "c.bmp")
    (folder / "notes.txt").write_text("not an image")
    (folder / "inner.png").mkdir()
    predict(str(model), str(folder), str(tmp_path / "out"))
    assert sorted(file.name for file in (tmp_path / "out" / "ids").iterdir()) == ["a.png", "b.png", "c.png"]
    for name, size in (("a", (64, 32)), ("b", (128, 64)), ("c", (17, 16))):
        assert Image.open(tmp_path / "out" / "overlays" / f"{name}.png").size == size
        assert Image.open(tmp_path / "out" / "ids" / f"{name}.png").size == size
    ids = Image.open(tmp_path / "out" / "ids" / "a.png")
    assert ids.mode == "L"
    expected = saved_model.load(model)(np.asarray(Image.open(folder / "a.png"))[np.newaxis])["class_ids"][0]
    np.testing.assert_array_equal(np.asarray(ids), expected)
    with Image.open(folder / "b.JPG") as image:  # the network sees it at the size that it was trained at
        resized = np.asarray(image.resize((64, 32), Image.Resampling.BILINEAR))
    seen = saved_model.load(model)(resized[np.newaxis])["class_ids"][0]
    enlarged = seen.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "ids" / "b.png")), enlarged)
    assert (tmp_path / "out" / "legend.png").is_file()
    assert f"3 images: {tmp_path / 'out' / 'overlays'}" in caplog.text


def test_own_size_shows_the_network_the_image_as_it_is(model, folder, tmp_path):
    random_image(21, 35).save(folder / "a.png")
    predict(str(model), str(folder), str(tmp_path / "out"), own_size=True)
    ids = np.asarray(Image.open(tmp_path / "out" / "ids" / "a.png"))
    expected = saved_model.load(model)(np.asarray(Image.open(folder / "a.png"))[np.newaxis])["class_ids"][0]
    np.testing.assert_array_equal(ids, expected)


def test_a_model_of_one_size_sees_images_at_it(model, folder, tmp_path):
    save(tmp_path / "model", size=(16, 32))
    random_image(32, 64).save(folder / "a.png")
    predict(str(tmp_path / "model"), str(folder), str(tmp_path / "out"))
    resized = np.asarray(random_image(32, 64).resize((32, 16), Image.Resampling.BILINEAR))
    seen = saved_model.load(tmp_path / "model")(resized[np.newaxis])["class_ids"][0]
    ids = np.asarray(Image.open(tmp_path / "out" / "ids" / "a.png"))
    np.testing.assert_array_equal(ids, seen.repeat(2, axis=0).repeat(2, axis=1))
    with pytest.raises(UserError, match=r"--own_size, but .* takes images of 16x32 pixels alone"):
        predict(str(tmp_path / "model"), str(folder), str(tmp_path / "out"), own_size=True)


def test_orientation_is_that_of_a_viewer(folder):
    image = Image.new("RGB", (4, 2), (255, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    image.save(folder / "turned.jpg", exif=exif)
    assert prediction.read_image(folder / "turned.jpg").shape == (4, 2, 3)


def test_unreadable_images_are_named_after_the_others_are_done(model, folder, tmp_path):
    random_image(16, 16).save(folder / "good.png")
    (folder / "broken.png").write_bytes(b"no picture")
    whole = folder / "cut.jpg"
    random_image(64, 64).save(whole)
    whole.write_bytes(whole.read_bytes()[:400])
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(folder / "deep.png")
    with pytest.raises(UserError) as raised:
        predict(str(model), str(folder), str(tmp_path / "out"))
    message = str(raised.value)
    assert message.startswith("3 of 4 images could not be read")
    assert all(str(folder / name) in message for name in ("broken.png", "cut.jpg", "deep.png"))
    assert "8 bits" in message
    assert [file.name for file in (tmp_path / "out" / "ids").iterdir()] == ["good.png"]


def test_names_never_collide():
    files = [Path(name) for name in ("a.jpg", "A.png", "b.jpg", "a.jpg.png")]
    assert list(prediction.names(files)) == ["a.jpg", "A.png", "b", "a.jpg.png"]


def test_images_that_differ_in_their_ending_get_results_of_their_own(model, folder, tmp_path):
    random_image(16, 16, 0).save(folder / "a.jpg")
    random_image(16, 16, 1).save(folder / "a.png")
    predict(str(model), str(folder), str(tmp_path / "out"))
    assert sorted(file.name for file in (tmp_path / "out" / "ids").iterdir()) == ["a.jpg.png", "a.png.png"]


def test_what_is_missing_is_named(model, folder, tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        predict(str(model), str(tmp_path / "nowhere"), str(tmp_path / "out"))
    with pytest.raises(UserError, match="holds no image"):
        predict(str(model), str(folder), str(tmp_path / "out"))
    random_image(8, 8).save(folder / "a.png")
    with pytest.raises(UserError, match="udas export"):
        predict(str(tmp_path / "no_model"), str(folder), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_signs_that_the_font_of_the_legend_lacks_are_warned_of(caplog):
    colours = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    prediction._warn_of_missing_glyphs(ClassSet("plain", ("road", "traffic sign", "a_1"), colours))
    assert caplog.records == []
    prediction._warn_of_missing_glyphs(ClassSet("chinese", ("road", "\u9053\u8def", "\u8f66"), colours))
    assert caplog.records[0].message.endswith("its font lacks; there, 1 is \u9053\u8def, 2 is \u8f66")


def test_overlay_blends_the_class_colour():
    image = np.full((1, 2, 3), 100, np.uint8)
    shown = prediction.overlay(image, np.array([[0, 2]], np.uint8), CLASSES)
    # 0.45 * 100 + 0.55 * (255 or 0)
    np.testing.assert_allclose(shown, [[[185, 45, 45], [45, 45, 185]]], atol=1)
