import dataclasses

import pytest

from udas_tf import shard_notes
from udas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Note:
    pixels: list[int]


def test_notes_come_in_the_order_of_the_records(tmp_path):
    for first in (1_000, 8, 0):
        shard_notes.write(tmp_path, first, Note([first]))
    assert shard_notes.read(tmp_path, Note) == [Note([0]), Note([8]), Note([1_000])]


def test_a_set_without_notes_has_none(tmp_path):
    assert shard_notes.read(tmp_path, Note) == []


def test_a_damaged_note_names_the_file_and_the_key(tmp_path):
    shard_notes.write(tmp_path, 0, {"pixels": [1, "two"]})
    with pytest.raises(UserError, match=r"note-00000000\.json is damaged \(Expected `int`.*at `\$\.pixels\[1\]`"):
        shard_notes.read(tmp_path, Note)
