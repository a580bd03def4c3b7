"""Videos that OpenCV writes, and sequences of images."""

import cv2
import numpy as np
import pytest
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.sets import video
from udas_tf.errors import UserError

SIZE = (48, 64)  # height, width
LOSS = 4  # greys by which a coded frame may differ from what was written


def frame(grey):
    """One grey, but for a red square in the upper left corner, BGR."""
    pixels = np.full((*SIZE, 3), grey, np.uint8)
    pixels[:16, :16] = (0, 0, 255)
    return pixels


def write(path, greys, code="mp4v", rate=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), rate, SIZE[::-1])
    for grey in greys:
        writer.write(frame(grey))
    writer.release()
    return path


def image(path, grey):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(frame(grey)[..., ::-1]).save(path)


def names(files):
    return [pair.name for pair in files.pairs]


def grey_of(files, index):
    """The grey of a frame; its square must be red, its sides those of the video."""
    pixels, original = files.read_image(files.pairs[index], (24, 32))
    assert original == SIZE and pixels.shape == (24, 32, 3) and pixels.dtype == np.uint8
    red, green, blue = pixels[2:6, 2:6].reshape(-1, 3).mean(axis=0)
    assert red > 200 > 60 > max(green, blue)
    return pixels[12:, 16:].mean()


@pytest.mark.parametrize(
    ("name", "code"),
    [("a.mp4", "mp4v"), ("a.mkv", "mp4v"), ("a.MKV", "MJPG"), ("a.mov", "mp4v"), ("a.avi", "MJPG"), ("a.avi", "XVID")],
)
def test_frames_are_taken_every_second_unless_they_look_like_the_one_before(tmp_path, name, code):
    path = write(tmp_path / name, [40] * 20 + list(range(100, 110)) + [200] * 5, code)
    files = video.find(tmp_path, "train")
    assert names(files) == ["a_000000", "a_000020", "a_000030"]
    assert [grey_of(files, index) for index in range(3)] == pytest.approx([40, 100, 200], abs=LOSS)
    assert files.labels is None and not any(pair.labelled for pair in files.pairs) and files.skipped == ()
    assert files.warnings == (
        f"{path}: 3 of 35 frames are kept; left out: 31 between those taken every 1 s and 1 that differ from the one "
        "kept before by less than min_change=0.02",
    )
    assert names(video.find(path, "train")) == names(files)  # the file itself
    assert not video.find(tmp_path, "val").pairs and not video.find(path, "val").pairs
    assert list(recognition.recognise(tmp_path)) == ["video"]


def test_every_frame_is_the_one_that_its_name_counts(tmp_path):
    """The number of a frame is written on it in eight bands, one for each bit: white is 1."""
    writer = cv2.VideoWriter(
        str(tmp_path / "drive.mp4"), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 30, SIZE[::-1]
    )
    for number in range(60):
        bits = np.unpackbits(np.uint8([number]))
        writer.write(np.tile(255 * bits.repeat(8)[None, :, None], (48, 1, 3)).astype(np.uint8))
    writer.release()
    (tmp_path / "video.yaml").write_text("every_seconds: 0\nmin_change: 0\n")
    files = video.find(tmp_path, "train")
    assert names(files) == [f"drive_{number:06d}" for number in range(60)] and files.warnings == ()
    for index in (59, 0, 31, 30, 7):  # in any order
        pixels, _ = files.read_image(files.pairs[index], SIZE)
        assert np.packbits(pixels[24, 4::8, 0] > 128).tolist() == [index]


def test_video_yaml_sets_the_interval_and_the_change(tmp_path):
    path = write(tmp_path / "a.avi", [100, 100, 102, 102, 120, 120, 122, 122, 100, 100], "MJPG")
    options = tmp_path / "video.yaml"
    options.write_text("every_seconds: 0.2\nmin_change: 0\n")
    assert names(video.find(tmp_path, "train")) == [f"a_00000{number}" for number in (0, 2, 4, 6, 8)]
    options.write_text("every_seconds: 0\nmin_change: 0.04\n")  # by change alone
    files = video.find(path, "train")  # beside the file
    assert names(files) == ["a_000000", "a_000004", "a_000008"]
    assert files.warnings == (
        f"{path}: 3 of 10 frames are kept; left out: 7 that differ from the one kept before by less than "
        "min_change=0.04",
    )
    options.write_text("every_seconds: 0.3")
    assert names(video.find(tmp_path, "train")) == ["a_000000", "a_000006", "a_000009"]  # 3 is like 0


def test_change_is_the_mean_difference_of_greys():
    one, other = np.full(video.THUMBNAIL, 250, np.uint8), np.full(video.THUMBNAIL, 250, np.uint8)
    other[:9] = 199  # half of it by 51 of 255
    assert video.change(one, other) == video.change(other, one) == pytest.approx(0.1)


def test_videos_lie_in_folders_of_splits(tmp_path):
    write(tmp_path / "train/city/a.mp4", [40])
    write(tmp_path / "train/b.mkv", [40])
    write(tmp_path / "val/a.mp4", [40])
    assert names(video.find(tmp_path, "train")) == ["b_000000", "city/a_000000"]
    assert names(video.find(tmp_path, "val")) == ["a_000000"]
    assert video.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["video"]


def test_the_images_of_a_sequence_are_compared_in_the_order_of_their_numbers(tmp_path):
    greys = {1: 40, 2: 41, 9: 80, 10: 80, 11: 120}
    for number, grey in greys.items():
        image(tmp_path / f"drive/frame{number}.png", grey)
    image(tmp_path / "other/0.png", 120)
    assert list(recognition.recognise(tmp_path)) != ["video"]  # nobody asked to leave images out
    (tmp_path / "video.yaml").write_text("")
    files = video.find(tmp_path, "train")
    assert names(files) == ["drive/frame1", "drive/frame11", "drive/frame9", "other/0"]
    assert grey_of(files, 1) == 120
    assert files.warnings == (
        f"{tmp_path / 'drive'}: 3 of 5 frames are kept; left out: 2 that differ from the one kept before by less than "
        "min_change=0.02",
    )
    (tmp_path / "video.yaml").write_text("every_seconds: 1.5\nframes_per_second: 2\n")
    files = video.find(tmp_path, "train")
    assert names(files) == ["drive/frame1", "drive/frame10", "other/0"]
    assert files.warnings == (
        f"{tmp_path / 'drive'}: 2 of 5 frames are kept; left out: 3 between those taken every 1.5 s",
    )
    assert list(recognition.recognise(tmp_path)) == ["video"]


def test_what_cannot_be_read_is_listed(tmp_path):
    write(tmp_path / "a.avi", [40] * 30, "MJPG")
    (tmp_path / "b.mp4").write_bytes(b"\0" * 100)
    image(tmp_path / "cover.png", 40)
    (tmp_path / "c.webm").write_bytes(b"")
    files = video.find(tmp_path, "train")
    assert names(files) == ["a_000000"]
    assert [(file.path, file.reason) for file in files.skipped] == [
        (
            str(tmp_path / "c.webm"),
            f"has .webm, which is not read; expected {', '.join(video.VIDEOS + video.SUFFIXES)}",
        ),
        (
            str(tmp_path / "b.mp4"),
            "cannot be read: it is truncated or damaged, or OpenCV's FFmpeg does not know how it is encoded",
        ),
        (str(tmp_path / "cover.png"), "is an image beside videos, which are read"),
    ]
    assert "video" not in recognition.recognise(tmp_path)
    sequence = tmp_path / "sequence"
    image(sequence / "1.png", 40)
    (sequence / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    files = video.find(sequence, "train")
    assert names(files) == ["1"] and files.warnings == ()
    assert [file.path for file in files.skipped] == [str(sequence / "2.png")]


def test_a_truncated_video_is_warned_of(tmp_path):
    path = write(tmp_path / "a.mkv", [40] * 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    files = video.find(tmp_path, "train")
    assert names(files) == ["a_000000"]
    assert "frames could be read where the file announces 60; it may be truncated or damaged" in files.warnings[0]


def test_two_videos_of_one_name_are_refused(tmp_path):
    for name in ("a.mp4", "a.mkv"):
        write(tmp_path / name, [40])
    with pytest.raises(UserError, match=r"a\.mkv and .*a\.mp4 have one name, a_000000; rename one"):
        video.find(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("every_second: 1", "the key 'every_second' is unknown; did you mean every_seconds?"),
        ("min_change: 5", "min_change is 5; expected a number, 0 to 1"),
        ("every_seconds: -1", "every_seconds is -1; expected a number, 0 or more"),
        ("frames_per_second: 0", "frames_per_second is 0; expected a number, above 0"),
        ("every_seconds: fast", "every_seconds is 'fast'; expected a number, 0 or more"),
        ("- 1", "expected lines such as 'every_seconds: 1.0'"),
        ("a: [", "cannot read"),
    ],
)
def test_a_wrong_video_yaml_is_refused(tmp_path, content, message):
    (tmp_path / "video.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        video.find(tmp_path, "train")
