"""Images and labels as cameras, simulators and tools write them."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, features

from udas_tf.data import image_files
from udas_tf.data.fitting import BAR
from udas_tf.data.image_files import Unusable


def saved(path, array, **options):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)
    return path


def noise(height=40, width=60):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def truncated(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def turned(path, array, orientation, **options):
    """A file that viewers turn as this EXIF orientation says."""
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(array)).save(path, exif=exif, **options)
    return path


# How a camera stores an upright image under an EXIF orientation (the standard's table of rows and columns).
STORED = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],  # its first row is the right-hand side
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}


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


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_is_reduced_while_it_is_decoded_and_tells_its_own_size(tmp_path, options):
    smooth = cv2.resize(noise(6, 10), (320, 192), interpolation=cv2.INTER_CUBIC)
    path = saved(tmp_path / "a.jpg", smooth, quality=95, **options)
    image, original = image_files.read_image(path, (48, 80))
    assert original == (192, 320)
    expected = cv2.resize(smooth, (80, 48), interpolation=cv2.INTER_AREA)
    assert abs(image.astype(int) - expected).mean() < 3


# --- kinds of images ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".webp", ".PNG"])
def test_formats_that_keep_every_pixel(tmp_path, suffix):
    assert suffix.lower() in image_files.SUFFIXES
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(tmp_path / f"a{suffix}", noise(), **options)
    np.testing.assert_array_equal(image_files.read_image(path, (40, 60))[0], noise())


@pytest.mark.parametrize(
    ("suffix", "format"), [(".jfif", "JPEG"), (".webp", "WEBP"), (".png", "JPEG"), (".jpg", "PNG")]
)
def test_what_a_file_holds_counts_not_its_ending(tmp_path, suffix, format):
    assert suffix in image_files.SUFFIXES
    path = saved(tmp_path / f"a{suffix}", np.full((16, 16, 3), 99), format=format)
    assert abs(image_files.read_image(path, (8, 8))[0].astype(int) - 99).max() <= 2


def test_a_tiff_compressed_as_cameras_and_scanners_do(tmp_path):
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        path = saved(tmp_path / f"{compression}.tif", noise(), compression=compression)
        np.testing.assert_array_equal(image_files.read_image(path, (40, 60))[0], noise())


def test_grey_and_alpha(tmp_path):
    grey = np.array([[0, 100, 200, 255]], np.uint8)
    as_rgb = grey[..., None].repeat(3, axis=-1)
    for name, array in (("grey", grey), ("grey_alpha", np.dstack([grey, 255 - grey]))):
        np.testing.assert_array_equal(image_files.read_image(saved(tmp_path / f"{name}.png", array), (1, 4))[0], as_rgb)
    # Alpha is left out: a transparent pixel has the colour that the file stores.
    rgba = np.array([[[10, 20, 30, 0], [40, 50, 60, 255]]], np.uint8)
    image, _ = image_files.read_image(saved(tmp_path / "rgba.png", rgba), (1, 2))
    assert image.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "bits.png")
    assert image_files.read_image(tmp_path / "bits.png", (1, 2))[0].tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_a_palette_with_transparency(tmp_path, recwarn):
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    for name, transparency in (("one", 1), ("every", bytes([0, 128, 255])), ("none", None)):
        options = {} if transparency is None else {"transparency": transparency}
        picture.save(tmp_path / f"{name}.png", **options)
        image, _ = image_files.read_image(tmp_path / f"{name}.png", (1, 3))
        assert image.tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    assert not recwarn.list


def test_printers_inks_become_red_green_and_blue(tmp_path):
    inks = np.zeros((16, 48, 4), np.uint8)
    inks[:, :16, 0] = inks[:, 16:32, 1] = inks[:, 32:, 3] = 255  # cyan, magenta, black
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    for name in ("a.jpg", "a.tif"):
        image = image_files.read_image(tmp_path / name, (16, 48))[0].astype(int)
        assert abs(image[8, [4, 20, 44]] - [[0, 255, 255], [255, 0, 255], [0, 0, 0]]).max() <= 3


def test_of_sixteen_bits_the_upper_eight_are_taken(tmp_path):
    values = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)  # 40,000 / 256 = 156.25
    expected = [[[level] * 3 for level in (0, 0, 1, 156, 255)]]
    for name in ("grey.png", "grey.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert image_files.read_image(tmp_path / name, (1, 5))[0].tolist() == expected
    for name in ("colour.png", "colour.tif"):
        cv2.imwrite(str(tmp_path / name), np.dstack([values, values, values]))
        assert image_files.read_image(tmp_path / name, (1, 5))[0].tolist() == expected


def test_twelve_bits_in_sixteen_are_refused_as_nothing_would_be_seen(tmp_path):
    values = np.array([[0, 1_000, 4_095]], np.uint16)
    Image.fromarray(values).save(tmp_path / "grey.png")
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([values, values, values]))
    for name in ("grey.png", "colour.png"):
        with pytest.raises(Unusable, match="16 bits a channel, of which it uses the lower 12 alone"):
            image_files.read_image(tmp_path / name, (1, 3))


def test_modes_that_are_no_colours_of_8_or_16_bits_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 8), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(Unusable, match="image of mode F; expected colour or grey of 8 or 16 bits"):
        image_files.read_image(tmp_path / "a.tif", (4, 8))
    Image.fromarray(np.ones((4, 8), np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(Unusable, match="image of mode I;"):
        image_files.read_image(tmp_path / "b.tif", (4, 8))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_several_images_in_one_file_are_refused(tmp_path, suffix):
    pages = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (10, 200, 90)]
    pages[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=pages[1:])
    for read in (lambda path: image_files.read_image(path, (8, 8)), image_files.read_label):
        with pytest.raises(Unusable, match="holds 3 images; expected one"):
            read(tmp_path / f"a{suffix}")


def test_the_preview_in_a_cameras_jpeg_is_no_second_image(tmp_path):
    """Phones and cameras write MPO files: a JPEG, and behind it a smaller one or the other eye's."""
    first, preview = (Image.fromarray(np.full((size, size, 3), level, np.uint8)) for size, level in ((32, 99), (8, 9)))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[preview])
    image, original = image_files.read_image(tmp_path / "a.jpg", (16, 16))
    assert original == (32, 32) and abs(image.astype(int) - 99).max() <= 2


# --- turned and fitted --------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_photographs_are_turned_as_viewers_turn_them(tmp_path, orientation, suffix):
    options = {"lossless": True} if suffix == ".webp" else {}
    path = turned(tmp_path / f"a{suffix}", STORED[orientation](noise()), orientation, **options)
    image, original = image_files.read_image(path, (40, 60))
    assert original == (40, 60)
    np.testing.assert_array_equal(image, noise())
    ids = noise()[..., 0]
    if suffix == ".png":
        label = image_files.read_label(turned(tmp_path / "l.png", STORED[orientation](ids), orientation))
        np.testing.assert_array_equal(label, ids)


@pytest.mark.parametrize("fit", ["squeeze", "crop", "letterbox"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_jpeg_is_fitted_as_the_upright_one(tmp_path, orientation, fit):
    """Its scale is chosen before it is turned; at a third of the size it is decoded at half of it."""
    smooth = cv2.resize(noise(6, 10), (320, 192), interpolation=cv2.INTER_CUBIC)
    upright = saved(tmp_path / "upright.jpg", smooth, quality=98)
    path = turned(tmp_path / "a.jpg", STORED[orientation](smooth), orientation, quality=98)
    expected, size = image_files.read_image(upright, (60, 60), fit)
    image, original = image_files.read_image(path, (60, 60), fit)
    assert original == size == (192, 320) and image.shape == (60, 60, 3)
    assert abs(image.astype(int) - expected).mean() < 2


def test_a_wide_image_in_a_square(tmp_path):
    """Four columns of 0, 80, 160 and 240, two pixels high."""
    columns = np.array([0, 80, 160, 240], np.uint8)[None, :, None].repeat(2, axis=0).repeat(3, axis=2)
    path = saved(tmp_path / "a.png", columns)
    cropped, original = image_files.read_image(path, (2, 2), "crop")
    assert original == (2, 4) and cropped[..., 0].tolist() == [[80, 160], [80, 160]]
    boxed, _ = image_files.read_image(path, (4, 4), "letterbox")
    assert boxed[1:3, :, 0].tolist() == [[0, 80, 160, 240]] * 2
    assert boxed[0].tolist() == boxed[3].tolist() == [list(BAR)] * 4
    label = columns[..., 0]
    assert image_files.resize_label(label, (2, 2), "crop").tolist() == [[80, 160], [80, 160]]
    assert image_files.resize_label(label, (4, 4), "letterbox")[[0, 3]].tolist() == [[255] * 4] * 2


def test_a_cropped_jpeg_is_decoded_no_smaller_than_what_is_kept(tmp_path):
    """A square of 60 from 192 x 320 keeps 192 x 192: half the size will do, and a quarter would blur."""
    fine = noise(192, 320)
    image, _ = image_files.read_image(saved(tmp_path / "a.jpg", fine, quality=98), (96, 96), "crop")
    expected = cv2.resize(fine[:, 64:256], (96, 96), interpolation=cv2.INTER_AREA)
    assert image.std() > 0.8 * expected.std()


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("read", [lambda path: image_files.read_image(path, (20, 30)), image_files.read_label])
def test_damaged_files_are_refused_with_path_and_reason(tmp_path, suffix, read):
    path = truncated(saved(tmp_path / f"a{suffix}", noise()))
    with pytest.raises(Unusable, match="cannot be read|saved as") as raised:
        read(path)
    assert raised.value.path == path and str(path) not in raised.value.reason
    path.write_bytes(b"no picture")
    with pytest.raises(Unusable, match="no image format"):
        read(path)
    path.write_bytes(b"")
    with pytest.raises(Unusable, match="is empty, 0 bytes"):
        read(path)
    path.unlink()
    with pytest.raises(Unusable, match="does not exist"):
        read(path)
    path.symlink_to("elsewhere.png")
    with pytest.raises(Unusable, match=r"is a link to elsewhere\.png, which does not exist"):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = saved(tmp_path / "a.png", noise())
    path.chmod(0)
    with pytest.raises(Unusable, match="cannot be read: Permission denied"):
        image_files.read_image(path, (20, 30))


@pytest.mark.parametrize("read", [lambda path: image_files.read_image(path, (20, 30)), image_files.read_first_channel])
def test_a_flipped_bit_in_a_png_is_noticed(tmp_path, read):
    path = saved(tmp_path / "a.png", noise())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    with pytest.raises(Unusable):
        read(path)


@pytest.mark.parametrize(
    "read",
    [lambda path: image_files.read_image(path, (20, 30)), image_files.read_label, image_files.read_first_channel],
)
def test_a_small_file_of_billions_of_pixels_is_refused_before_it_is_decoded(tmp_path, read):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    content = zlib.compress(bytes(1_000))
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    with pytest.raises(Unusable, match="more than 178,956,970 pixels"):
        read(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_data_leave_the_image_as_it_is_stored(tmp_path):
    saved(tmp_path / "a.jpg", np.full((16, 16, 3), 99), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(5))
    assert abs(image_files.read_image(tmp_path / "a.jpg", (16, 16))[0].astype(int) - 99).max() <= 2


# --- labels -------------------------------------------------------------------------------------------------

IDS = np.arange(32, dtype=np.uint8).reshape(4, 8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_labels_of_ids_in_every_format_that_keeps_them(tmp_path, suffix):
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    read = image_files.read_label(saved(tmp_path / f"l{suffix}", IDS, **options))
    # WebP knows colours alone: three equal channels.
    np.testing.assert_array_equal(read if read.ndim == 2 else read[..., 1], IDS)


def test_labels_with_alpha_are_read_without_it(tmp_path):
    saved(tmp_path / "la.png", np.dstack([IDS, np.full_like(IDS, 7)]))
    np.testing.assert_array_equal(image_files.read_label(tmp_path / "la.png"), IDS)
    for mode in ("RGB", "RGBA"):
        Image.fromarray(noise()).convert(mode).save(tmp_path / "c.png")
        np.testing.assert_array_equal(image_files.read_label(tmp_path / "c.png"), noise())


def test_labels_of_one_bit_hold_0_and_1(tmp_path):
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1").save(tmp_path / "l.png")
    label = image_files.read_label(tmp_path / "l.png")
    assert label.tolist() == [[0, 1, 1]] and label.dtype == np.uint8


def test_labels_of_sixteen_and_of_thirty_two_bits(tmp_path):
    for name in ("l.png", "l.tif"):
        Image.fromarray(IDS.astype(np.uint16) * 2_000).save(tmp_path / name)
        np.testing.assert_array_equal(image_files.read_label(tmp_path / name), IDS.astype(int) * 2_000)
    signed = np.array([[-1, 0, 70_000]], np.int32)
    Image.fromarray(signed).save(tmp_path / "signed.tif")
    assert image_files.read_label(tmp_path / "signed.tif").tolist() == signed.tolist()


def test_a_palette_label_has_indices_and_colours(tmp_path):
    label = Image.fromarray(np.array([[2, 0, 1]], np.uint8))
    label.putpalette([0, 0, 0, 128, 64, 128, 70, 70, 70])
    label.save(tmp_path / "p.png", transparency=0)
    values, palette = image_files.read_label_and_palette(tmp_path / "p.png")
    assert values.tolist() == [[2, 0, 1]] and palette[:3].tolist() == [[0, 0, 0], [128, 64, 128], [70, 70, 70]]
    np.testing.assert_array_equal(image_files.read_label(tmp_path / "p.png"), values)


def test_a_palette_of_greys_in_order_says_no_more_than_none(tmp_path):
    label = Image.fromarray(IDS)
    label.putpalette([level for level in range(256) for _ in range(3)])
    label.save(tmp_path / "p.png")
    values, palette = image_files.read_label_and_palette(tmp_path / "p.png")
    np.testing.assert_array_equal(values, IDS)
    assert palette is None


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("l.jpg", {}, "label saved as JPEG, which does not keep its values; save it as PNG"),
        ("l.png", {"format": "JPEG"}, "label saved as JPEG"),
        ("l.webp", {"lossless": False}, "label saved as WEBP, which does not keep its values"),
        ("l.tif", {"compression": "jpeg"}, "label saved as TIFF, which does not keep its values"),
    ],
)
def test_labels_in_files_that_change_values_are_refused(tmp_path, name, options, reason):
    if options.get("compression") == "jpeg" and not features.check("libtiff"):
        pytest.skip("no libtiff")
    with pytest.raises(Unusable, match=reason):
        image_files.read_label(saved(tmp_path / name, noise(), **options))


def test_grey_labels_of_few_bits_are_refused_as_nobody_knows_their_ids(tmp_path):
    """A PNG of 4 bits a pixel holds 3; most programs read 51, which is 3 of 15 on a scale to 255."""
    data = zlib.compress(b"\0" + bytes([0x30]))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    (tmp_path / "l.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    with pytest.raises(Unusable, match="grey label of 4 bits, which programs read differently; save it with 8"):
        image_files.read_label(tmp_path / "l.png")


def test_labels_of_other_modes_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 8), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(Unusable, match="label of mode F; expected one channel of ids, or RGB"):
        image_files.read_label(tmp_path / "a.tif")
    cv2.imwrite(str(tmp_path / "wide.png"), np.ones((4, 8, 3), np.uint16))
    with pytest.raises(Unusable, match="colour label of 16 bits a channel"):
        image_files.read_label(tmp_path / "wide.png")


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
