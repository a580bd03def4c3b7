"""Images and the labels of their names, in folders as they come."""

import os
import socket
import unicodedata

import layout_files
import pytest

from udas_tf.data.image_files import SUFFIXES
from udas_tf.data.sample import Skipped
from udas_tf.data.split_files import listing, paired
from udas_tf.errors import UserError


@pytest.fixture
def folders(tmp_path):
    """images/ and labels/."""
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    return tmp_path / "images", tmp_path / "labels"


def names(files):
    return [(pair.name, pair.labelled) for pair in files.pairs]


def reasons(files):
    return {os.path.basename(skipped.path): skipped.reason for skipped in files.skipped}


def test_images_have_the_labels_of_their_names(folders):
    images, labels = folders
    for name in ("a.png", "b.jpg", "c.webp"):
        layout_files.image(images / name)
    layout_files.ids(labels / "a.png", 0, 1)
    layout_files.ids(labels / "c.png", 0, 1)
    layout_files.ids(labels / "d.png", 0, 1)
    files = paired(images, labels, None)
    assert names(files) == [("a", True), ("b", False), ("c", True)]
    assert [pair.label for pair in files.pairs] == [labels / f"{name}.png" for name in "abc"]
    assert reasons(files) == {"d.png": "is a label without an image"} and files.warnings == ()


@pytest.mark.parametrize("suffix", [*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES)])
def test_every_ending_of_images_in_either_case(folders, suffix):
    images, labels = folders
    (images / f"a{suffix}").touch()
    (labels / f"a{suffix}").touch()
    (pair,) = paired(images, labels, None).pairs
    assert (pair.name, pair.image.name, pair.label.name, pair.labelled) == ("a", f"a{suffix}", f"a{suffix}", True)


def test_of_two_labels_of_a_name_the_png_is_read_and_the_other_listed(folders):
    images, labels = folders
    (images / "a.png").touch()
    for name in ("a.jpg", "a.PNG", "a.png"):
        (labels / name).touch()
    files = paired(images, labels, None)
    assert files.pairs[0].label == labels / "a.png"
    assert reasons(files) == dict.fromkeys(("a.PNG", "a.jpg"), "is a label beside a.png, which is read")


def test_labels_with_more_to_their_names(folders):
    images, labels = folders
    (images / "a.png").touch()
    for name in ("a_L.PNG", "a.png"):
        (labels / name).touch()
    files = paired(images, labels, None, label_ending="_L.png")
    assert files.pairs[0].label == labels / "a_L.PNG" and files.pairs[0].labelled
    assert reasons(files) == {"a.png": "is no label: its name does not end in _L.png"}


def test_two_images_of_one_name_are_refused(folders):
    images, labels = folders
    (images / "a.jpg").touch()
    (images / "a.PNG").touch()
    with pytest.raises(UserError, match=r"a\.PNG and .*a\.jpg have one name, and would share a label; rename one"):
        paired(images, labels, None)


def test_subfolders_are_those_of_the_labels(folders):
    images, labels = folders
    for name in ("a.png", "x/a.png", "x/y/b.png"):
        layout_files.image(images / name)
    layout_files.ids(labels / "x/a.png", 0, 1)
    layout_files.ids(labels / "y/b.png", 0, 1)
    files = paired(images, labels, None)
    assert names(files) == [("a", False), ("x/a", True), ("x/y/b", False)]
    assert files.pairs[2].label == labels / "x/y/b.png"
    assert reasons(files) == {"b.png": "is a label without an image"}


def test_subfolders_that_are_not_looked_at_are_listed_if_they_hold_images(folders):
    images, labels = folders
    for name in ("a.png", "x/a.png", "x/y/b.png", "labels/a.png"):
        layout_files.image(images / name)
    (images / "empty").mkdir()
    files = paired(images, labels, None, nested=False, aside=("labels",))
    assert names(files) == [("a", False)]
    assert reasons(files) == {"x": "holds 2 images; subfolders are looked at below images/ alone"}


def test_names_as_people_write_them(folders):
    images, labels = folders
    for name in ("with space", "straße", "道路", "a.b", "100%", "[1]", "#1"):
        (images / f"{name}.png").touch()
        (labels / f"{name}.png").touch()
    files = paired(images, labels, None)
    assert {pair.name for pair in files.pairs} == {"with space", "straße", "道路", "a.b", "100%", "[1]", "#1"}
    assert all(pair.labelled for pair in files.pairs) and files.skipped == ()


def test_accents_may_be_written_in_either_way(folders):
    """As an archive made on a Mac has them."""
    images, labels = folders
    name = "straße_köln/café"
    for folder, form in ((images, "NFC"), (labels, "NFD")):
        path = folder / f"{unicodedata.normalize(form, name)}.png"
        path.parent.mkdir()
        path.touch()
    assert unicodedata.normalize("NFC", name) != unicodedata.normalize("NFD", name)
    files = paired(images, labels, None)
    assert names(files) == [(unicodedata.normalize("NFC", name), True)] and files.skipped == ()


def test_names_that_are_no_utf8_are_read_and_written_as_escapes(folders):
    images, labels = folders
    for folder in folders:
        with open(os.fsencode(folder) + b"/stra\xdfe.png", "wb"):
            pass
    (pair,) = paired(images, labels, None).pairs
    assert (pair.name, pair.labelled) == ("stra\\xdfe", True)
    pair.name.encode()  # as records do


def test_every_other_file_has_a_line_of_its_own(folders):
    images, labels = folders
    for name in ("a.png", "b.heic", "c.gif", "d", "e.png.part"):
        (images / name).touch()
    (labels / "a.npy").touch()
    files = paired(images, labels, None)
    known = ", ".join(SUFFIXES)
    assert reasons(files) == {
        "b.heic": f"has .heic, which is not read; expected {known}",
        "c.gif": f"has .gif, which is not read; expected {known}",
        "d": f"has no ending, which is not read; expected {known}",
        "e.png.part": f"has .part, which is not read; expected {known}",
        "a.npy": f"has .npy, which is not read; expected {known}",
    }


def test_documents_have_one_warning_and_hidden_files_none(folders):
    images, labels = folders
    for name in ("a.png", "readme.txt", ".DS_Store", "._a.png", "Thumbs.db", "desktop.ini"):
        (images / name).touch()
    for name in ("a.json", "b.json", "c.json", "d.json", "e.xml"):
        (labels / name).touch()
    files = paired(images, labels, None)
    assert names(files) == [("a", False)] and files.skipped == ()
    assert files.warnings == (
        f"{images}: files that are no images are not read: readme.txt",
        f"{labels}: files that are no images are not read: a.json, b.json, c.json and 2 more",
    )


def test_links_are_followed_unless_they_lead_nowhere_or_in_circles(folders):
    images, labels = folders
    elsewhere = images.parent / "elsewhere"
    layout_files.image(elsewhere / "deep/a.png")
    (images / "b.png").symlink_to(elsewhere / "deep/a.png")
    (images / "folder").symlink_to(elsewhere)
    (images / "lost.png").symlink_to("nowhere.png")
    (images / "circle").symlink_to(images.parent)
    (elsewhere / "above").symlink_to(elsewhere)
    files = paired(images, labels, None)
    assert [pair.name for pair in files.pairs] == ["b", "circle/elsewhere/deep/a", "folder/deep/a"]
    assert {(os.path.relpath(file.path, images), file.reason) for file in files.skipped} == {
        ("lost.png", "is a link to nowhere.png, which does not exist"),
        ("circle/images", "is a link to a folder that it lies in"),
        ("circle/elsewhere/above", "is a link to a folder that it lies in"),
        ("folder/above", "is a link to a folder that it lies in"),
    }


def test_what_is_no_regular_file_is_not_opened(folders, monkeypatch):
    """Reading a pipe would wait for ever."""
    images, labels = folders
    os.mkfifo(images / "pipe.png")
    with socket.socket(socket.AF_UNIX) as end:
        monkeypatch.chdir(images)  # the path of a socket must be short
        end.bind("socket.png")
    files = paired(images, labels, None)
    assert files.pairs == [] and reasons(files) == dict.fromkeys(("pipe.png", "socket.png"), "is no regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_folder_that_may_not_be_opened_is_listed(folders):
    images, _ = folders
    (images / "closed").mkdir(mode=0)
    assert listing(images).skipped == (Skipped(str(images / "closed"), "cannot be opened: Permission denied"),)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert paired(tmp_path / "none", tmp_path / "labels", None).pairs == []
