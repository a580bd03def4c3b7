import dataclasses
import json

import pytest

from udas_tf import typed_json
from udas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    share: float | None


@dataclasses.dataclass(frozen=True)
class Whole:
    count: int
    size: tuple[int, int]
    parts: list[Part]
    note: str = "none"


WHOLE = Whole(3, (8, 16), [Part("road", 0.25), Part("sky", None)])


def test_what_was_written_is_read(tmp_path):
    file = tmp_path / "new" / "whole.json"
    typed_json.write(file, WHOLE)
    assert typed_json.read(file, Whole) == WHOLE
    assert json.loads(file.read_text()) == dataclasses.asdict(WHOLE) | {"size": [8, 16]}
    assert [path.name for path in file.parent.iterdir()] == ["whole.json"]


def test_fractions_keep_every_digit(tmp_path):
    typed_json.write(tmp_path / "one.json", Part("road", 0.1 + 0.2))
    assert typed_json.read(tmp_path / "one.json", Part).share == 0.1 + 0.2


def test_keys_with_defaults_may_be_missing_and_others_are_ignored(tmp_path):
    file = tmp_path / "whole.json"
    file.write_text('{"count": 1, "size": [1, 2], "parts": [], "added by a later version": true}')
    assert typed_json.read(file, Whole) == Whole(1, (1, 2), [])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "Input data was truncated"),
        ('{"count": 3, "size"', "Input data was truncated"),
        ("{count: 3}", r"JSON is malformed: .*byte 1"),
        ("[]", "Expected `object`, got `array`"),
        ('{"count": 3, "parts": []}', "Object missing required field `size`"),
        ('{"count": "3", "size": [8, 16], "parts": []}', r"Expected `int`, got `str` - at `\$\.count`"),
        ('{"count": 3, "size": [8], "parts": []}', r"Expected `array` of length 2 - at `\$\.size`"),
        ('{"count": 3, "size": [8, 16], "parts": [{"name": "road"}]}', r"field `share` - at `\$\.parts\[0\]`"),
    ],
)
def test_damage_is_one_line_with_the_file_the_key_and_the_remedy(text, complaint, tmp_path):
    file = tmp_path / "whole.json"
    file.write_text(text)
    with pytest.raises(UserError, match=rf"whole\.json is damaged \(.*{complaint}.*\); remove it") as raised:
        typed_json.read(file, Whole)
    assert str(raised.value).startswith(str(file)) and "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"; make it again$"):
        typed_json.read(file, Whole, "make it again")


def test_bytes_that_are_no_text_are_damage(tmp_path):
    file = tmp_path / "part.json"
    file.write_bytes(b'{"name": "\xff", "share": 1.0}')
    with pytest.raises(UserError, match=r"part\.json is damaged"):
        typed_json.read(file, Part)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nothing\.json: No such file"):
        typed_json.read(tmp_path / "nothing.json", Whole)
