import numpy as np
from labelled_scenes import scene

from udas_tf.data.checks import drives
from udas_tf.data.checks.thumbnails import Thumbnails, look


def drive(seed, frames):
    """A drive past a wall: a window on one wide picture, which moves by 2 of its 160 pixels from frame to frame."""
    wide = np.random.default_rng(seed).integers(0, 256, (6, (160 + 2 * frames) // 16 + 1, 3), np.uint8)
    wide = wide.repeat(16, axis=0).repeat(16, axis=1)
    return [wide[:, 2 * number : 2 * number + 160] for number in range(frames)]


DRIVES = {
    f"{name}_{30 * number:05d}": image
    for seed, name in enumerate(("0001TP", "0016E5"))
    for number, image in enumerate(drive(seed, 40))
}


def thumbnails(names, images=DRIVES):
    return Thumbnails.of([(name, look(images[name])) for name in names])


def kinds(train, val, images=DRIVES):
    return [finding.kind for finding in drives.findings(thumbnails(train, images), thumbnails(val, images))]


def test_frames_of_two_drives_drawn_at_random_are_found():
    val = [name for number, name in enumerate(DRIVES) if number % 5 == 2]
    train = [name for name in DRIVES if name not in val]
    (found,) = drives.findings(thumbnails(train), thumbnails(val))
    assert found.kind == "drives_split"
    assert found.text.startswith("16 of 16 validation images")
    assert "0001TP_00060 beside 0001TP_00030" in found.text


def test_a_drive_for_each_split_raises_no_warning():
    names = list(DRIVES)
    assert kinds(names[:40], names[40:]) == []


def test_the_end_of_a_drive_held_out_raises_no_warning():
    names = list(DRIVES)
    assert kinds(names[:70], names[70:]) == []


def test_numbered_photographs_that_do_not_look_alike_raise_no_warning():
    images = {f"{number:06d}": scene(number)[0] for number in range(40)}
    val = [name for number, name in enumerate(images) if number % 5 == 2]
    assert kinds([name for name in images if name not in val], val, images) == []


def test_neighbours_differ_in_one_number_alone_whichever_it_is():
    train = ["a_1_left", "a_2_left", "a_4_left", "b_1_left", "a_9_right"]
    assert drives.neighbours(train, ["a_3_left", "a_8_right", "c_1_left"]) == [(1, 0)]
    # Of a_*_right there are two, too few to say what is near.


def test_a_frame_behind_a_gap_is_no_neighbour():
    train = [f"a{number}" for number in (1, 2, 3, 4)]
    assert drives.neighbours(train, ["a6", "a50"]) == [(3, 0)]
