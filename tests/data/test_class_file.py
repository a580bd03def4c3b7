from pathlib import Path

import pytest

from udas_tf.data import class_file
from udas_tf.data.class_sets import CITYSCAPES, built_in
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

WAREHOUSE = """
name: warehouse
classes:
  - {name: floor, colour: [128, 64, 128]}
  - {name: shelf, colour: [70, 70, 70]}
ids: {0: null, 7: floor, 300: shelf}
"""


def written(directory: Path, text: str | bytes, name: str = "classes.yaml") -> Path:
    path = directory / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def two(
    floor: str = "{name: floor, colour: [128, 64, 128]}", shelf: str = "{name: shelf, colour: [70, 70, 70]}"
) -> str:
    return f"classes:\n  - {floor}\n  - {shelf}\n"


def test_names_colours_and_ids(tmp_path):
    described = class_file.read(written(tmp_path, WAREHOUSE))
    assert described.classes.name == "warehouse"
    assert described.classes.classes == ("floor", "shelf")
    assert described.classes.colours == ((128, 64, 128), (70, 70, 70))
    assert described.ids == {0: None, 7: "floor", 300: "shelf"} and not described.assumed
    assert described.colours == {(0, 0, 0): None, (128, 64, 128): "floor", (70, 70, 70): "shelf"}
    assert (described.instances, described.palette, described.nearest) == (None, None, False)


def test_without_ids_labels_hold_train_ids(tmp_path):
    text = WAREHOUSE.partition("ids:")[0].replace("name: warehouse", "")
    described = class_file.read(written(tmp_path, text))
    assert described.ids == {0: "floor", 1: "shelf", 255: None, -1: None} and described.assumed
    assert described.classes.name == tmp_path.name


def test_ids_alone_with_a_built_in_class_set(tmp_path):
    described = class_file.read(written(tmp_path, "classes: cityscapes\nids: {7: road, 1: null}\n"))
    assert described.classes == CITYSCAPES
    assert described.ids == {7: "road", 1: None}
    assert described.colours[128, 64, 128] == "road"


def test_the_class_set_of_a_config(tmp_path):
    assert class_file.class_set("camvid") == built_in()["camvid"]
    for name in ("classes.yaml", "mine.YML"):
        assert class_file.class_set(str(written(tmp_path, WAREHOUSE, name))).classes == ("floor", "shelf")
    with pytest.raises(
        UserError, match="classes='streets' is unknown; expected .*camvid, cityscapes.* or a classes.yaml"
    ):
        class_file.class_set("streets")
    with pytest.raises(UserError, match="cannot read .*none.yaml"):
        class_file.class_set(str(tmp_path / "none.yaml"))


def test_what_is_written_reads_the_same(tmp_path):
    """With names that YAML takes for something else."""
    names = ("no", "null", "7", "1.0", "道路", "a: b", "on #1", "straße")
    classes = ClassSet("yes", names, tuple((number, 0, 255) for number in range(len(names))))
    class_file.write(classes, tmp_path / "classes.yaml")
    assert class_file.read(tmp_path / "classes.yaml").classes == classes


# --- ways of writing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["no", "yes", "on", "off", "true", "7", "007", "1.5", "1e3", "2026-01-31", "0x1F", "~x"]
)
def test_names_are_kept_as_they_are_written(tmp_path, name):
    described = class_file.read(
        written(tmp_path, two(f"{{name: {name}, colour: [1, 2, 3]}}") + f"ids: {{5: {name}}}\n")
    )
    assert described.classes.classes == (name, "shelf") and described.ids == {5: name}


@pytest.mark.parametrize(
    "colour",
    ["colour: [128, 64, 128]", "color: [128, 64, 128]", 'color: "#804080"', "colour: 804080", 'colour: "128 64 128"'],
)
def test_colours_in_every_spelling(tmp_path, colour):
    assert class_file.read(written(tmp_path, two(f"{{name: floor, {colour}}}"))).classes.colours[0] == (128, 64, 128)


def test_ids_beside_names(tmp_path):
    text = two("{name: floor, colour: [1, 2, 3], id: 7}", "{name: shelf, colour: [4, 5, 6], ids: [8, 9]}")
    described = class_file.read(written(tmp_path, text))
    assert described.ids == {7: "floor", 8: "shelf", 9: "shelf", 255: None, -1: None} and not described.assumed
    described = class_file.read(written(tmp_path, text + "ids: {0: null, 20: floor}\n"))
    assert described.ids == {7: "floor", 8: "shelf", 9: "shelf", 0: None, 20: "floor"}
    taken = text.replace("id: 7", "id: 255")
    assert class_file.read(written(tmp_path, taken)).ids == {255: "floor", 8: "shelf", 9: "shelf", -1: None}


def test_several_colours_of_a_class_and_colours_that_are_ignored(tmp_path):
    """As CARLA's road and road lines."""
    text = two('{name: floor, colors: [[128, 64, 128], "#9dea32"]}') + 'colours: {"#ffffff": null, "1 2 3": shelf}\n'
    described = class_file.read(written(tmp_path, text))
    assert described.classes.colours == ((128, 64, 128), (70, 70, 70))
    assert described.colours == {
        (0, 0, 0): None,
        (128, 64, 128): "floor",
        (157, 234, 50): "floor",
        (70, 70, 70): "shelf",
        (255, 255, 255): None,
        (1, 2, 3): "shelf",
    }


def test_one_colour_of_two_classes_tells_neither(tmp_path):
    same = two("{name: floor, colour: [70, 70, 70]}")
    assert class_file.read(written(tmp_path, same)).colours == {}
    assert class_file.read(written(tmp_path, two("{name: floor, colours: [[1, 2, 3], [1, 2, 3]]}"))).colours
    with pytest.raises(UserError, match="two classes have the same colour"):
        class_file.read(written(tmp_path, same + 'colours: {"#ffffff": null}\n'))


def test_how_labels_are_read(tmp_path):
    described = class_file.read(written(tmp_path, two() + "instances: 1000\npalette: indices\nbetween: nearest\n"))
    assert (described.instances, described.palette, described.nearest) == (1000, "ids", True)
    described = class_file.read(written(tmp_path, two() + "palette: colors\nbetween: refuse\n"))
    assert (described.palette, described.nearest) == ("colours", False)


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
    ],
)
def test_files_as_windows_writes_them(tmp_path, encode):
    text = WAREHOUSE.replace("shelf", "Straße")
    described = class_file.read(written(tmp_path, encode(text)))
    assert described.classes.classes == ("floor", "Straße") and described.ids[300] == "Straße"


def test_names_that_read_the_same_are_the_same(tmp_path):
    """An accent may be one sign with its letter, or a sign of its own."""
    text = two("{name: caf\u00e9, colour: [1, 2, 3]}") + "ids: {1: cafe\u0301}\n"
    assert class_file.read(written(tmp_path, text)).ids == {1: "caf\u00e9"}


def test_the_examples_of_the_documents_are_read(tmp_path):
    page = (Path(__file__).parents[2] / "docs/data.md").read_text("utf-8").partition("## classes.yaml")[2]
    example = "\n".join(line[4:] for line in page.splitlines() if line.startswith("    "))
    described = class_file.read(written(tmp_path, example))
    assert described.ids == {7: "floor", 8: "shelf", 9: "shelf", 0: None}
    docstring = class_file.__doc__.partition("\n\n")[2].partition("\n\n")[0]
    described = class_file.read(written(tmp_path, docstring))
    assert (described.classes.name, described.instances, described.nearest) == ("warehouse", 1000, True)
    assert described.colours[70, 80, 70] == "shelf" and described.colours[157, 234, 50] == "floor"


# --- where it lies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["classes.yaml", "classes.yml", "Classes.YAML"])
def test_the_class_file_of_a_folder(tmp_path, name):
    assert class_file.find(tmp_path) is None and class_file.find(tmp_path / "none") is None
    written(tmp_path, WAREHOUSE, name)
    assert class_file.find(tmp_path) == tmp_path / name


def test_two_class_files_in_a_folder_are_refused(tmp_path):
    written(tmp_path, WAREHOUSE)
    written(tmp_path, WAREHOUSE, "classes.yml")
    with pytest.raises(UserError, match=r"holds classes\.yaml and classes\.yml; remove all but one"):
        class_file.find(tmp_path)


# --- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected the key 'classes'"),
        ("- a\n- b\n", "expected the key 'classes'"),
        ("ids: {1: road}\n", "expected the key 'classes'"),
        ("clases: cityscapes\n", "unknown key 'clases'; did you mean 'classes'"),
        ("classes: cityscapes\nzebra: []\n", "unknown key 'zebra'; expected the keys name, classes, ids, colours"),
        ("classes: streets\n", "'streets' is no class set"),
        ("classes: [{name: a, colour: [0, 0, 0]}]\n", "2 to 254"),
        (two("{name: b}"), "is not like"),
        (two("b"), "is not like"),
        (two("{nmae: b, colour: [0, 0, 0]}"), "unknown key 'nmae'; did you mean 'name'"),
        (two("{name: b, colour: [0, 0, 256]}"), r"floor|b: the colour .* is not like \[128, 64, 128\]"),
        (two("{name: b, colour: [0, 0]}"), "is not like"),
        (two("{name: b, colour: [0, 0, 0.5]}"), "is not like"),
        (two("{name: b, colour: red}"), "the colour red is not like"),
        (two("name: b\n    colour: #804080"), "'#' begins a comment unless the colour is in quotes"),
        (two("{name: b, colour: [0, 0, 0], color: [0, 0, 0]}"), "'colour' twice, in two spellings"),
        (two("{name: b, colour: [0, 0, 0], colours: [[0, 0, 0]]}"), "either colour or colours"),
        (two("{name: b, colours: []}"), "is not like"),
        (two("{name: null, colour: [0, 0, 0]}"), "a name such as null needs quotes"),
        (two("{name: ' ', colour: [0, 0, 0]}"), "is not like"),
        (two("{name: shelf, colour: [1, 0, 0]}"), r"'shelf' stands twice, .*same name; .* colours: \[\[128"),
        (two("{name: b, colour: [1, 0, 0], id: 3, ids: [4]}"), "either id or ids"),
        (
            two("{name: b, colour: [1, 0, 0], id: 3}", "{name: c, colour: [2, 0, 0], id: 3}"),
            "id 3 stands twice, for b and c",
        ),
        (two("{name: b, colour: [1, 0, 0], id: 3}") + "ids: {3: shelf}\n", "id 3 stands twice, for b and shelf"),
        ("classes: cityscapes\nids: [road]\n", "expected a map"),
        ("classes: cityscapes\nids: {}\n", "expected a map"),
        ("classes: cityscapes\nids: {a: road}\n", "'a' is not an integer"),
        ("classes: cityscapes\nids: {-2: road}\n", "'-2' is not an integer from -1 to 65535"),
        ("classes: cityscapes\nids: {70000: road}\n", "'70000' is not an integer"),
        ("classes: cityscapes\nids: {7: tram}\n", "'tram', which is none of road"),
        ("classes: cityscapes\nids: {7: raod}\n", "'raod', which is none of road, .*; did you mean road"),
        ("classes: cityscapes\nids: {7: road, 8: car, 7: bus}\n", "line 2: '7' stands twice"),
        ("classes: cityscapes\nids: {7: road, 07: bus}\n", "id 7 stands twice, for road and bus"),
        ("classes: cityscapes\nclasses: camvid\n", "line 2: 'classes' stands twice"),
        ("classes: cityscapes\nids: {7: road}\nids: {8: car}\n", "line 3: 'ids' stands twice"),
        ("classes: cityscapes\ncolours: []\n", "colours: expected a map"),
        ('classes: cityscapes\ncolours: {"#804080": car}\n', "#804080 stands twice, for road and car"),
        ('classes: cityscapes\ncolours: {"#010203": tram}\n', "#010203 goes to 'tram', which is none of"),
        ("classes: cityscapes\ncolours: {1: car}\n", "the colour 1 is not like"),
        ("classes: cityscapes\ninstances: 1\n", "'1' is not an integer from 2"),
        ("classes: cityscapes\npalette: index\n", "palette: 'index' is unknown; expected indices or colours"),
        ("classes: cityscapes\nbetween: [a]\n", "between: .* is unknown; expected refuse or nearest"),
        ("classes: {\n", "classes.yaml"),
        ("classes: " + "[" * 5_000, "classes.yaml"),
        (b"classes:\n - {name: Stra\xdfe, colour: [1, 2, 3]}\n", "is not UTF-8 from byte 23 on; save it as UTF-8"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path, text, reason):
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=reason) as raised:
        class_file.read(path)
    assert str(path) in str(raised.value)
