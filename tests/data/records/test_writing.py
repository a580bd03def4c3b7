import dataclasses
import functools
import json
import os
import weakref

import pytest
from small_set import SIZE, content, make_sample, read_all, samples, write

from udas_tf.data import records
from udas_tf.data.in_order import MOST_WORKERS, in_order
from udas_tf.data.sample import Skipped
from udas_tf.errors import UserError
from udas_tf.run_dir import is_finished


def test_an_unknown_role_is_refused(tmp_path):
    with pytest.raises(ValueError, match="role 'secret'"):
        write(tmp_path / "set", role="secret")
    assert not (tmp_path / "set").exists()


class Killed(Exception):
    pass


def killed_at(index, made=None):
    def samples_of(indices):
        for i in indices:
            if i == index:
                raise Killed
            if made is not None:
                made.append(i)
            yield make_sample(i)

    return samples_of


def test_a_killed_writing_goes_on_at_its_last_whole_shard(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    manifest = write(whole)
    with pytest.raises(Killed):
        write(broken, killed_at(4))
    assert not is_finished(broken)
    with pytest.raises(UserError, match="no finished set of records"):
        read_all(broken)
    made = []
    assert write(broken, killed_at(None, made)) == manifest
    assert made == [3, 4, 5, 6]
    assert content(broken) == content(whole)


def test_a_shard_whose_summary_was_not_written_is_made_again(tmp_path):
    manifest = write(tmp_path)
    before = content(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "00001-of-00003.json").unlink()
    made = []
    assert write(tmp_path, killed_at(None, made)) == manifest
    assert made == [3, 4, 5]
    assert content(tmp_path) == before


def test_killed_before_the_manifest_nothing_is_made_again(tmp_path):
    manifest = write(tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert not is_finished(tmp_path)
    assert write(tmp_path, killed_at(0)) == manifest


@pytest.mark.parametrize("other", [{"role": "hidden"}, {"count": 8}, {"shard_images": 4}, {"made_by": "another"}])
def test_an_unfinished_set_of_other_settings_is_refused(tmp_path, other):
    with pytest.raises(Killed):
        write(tmp_path, killed_at(4), made_by="one")
    before = content(tmp_path)
    with pytest.raises(UserError, match="other settings") as raised:
        write(tmp_path, **({"made_by": "one"} | other))
    assert str(tmp_path) in str(raised.value)
    assert content(tmp_path) == before


def test_an_unfinished_set_of_an_older_version_is_refused(tmp_path):
    """The summaries of its shards lack what the manifest counts now."""
    with pytest.raises(Killed):
        write(tmp_path, killed_at(4))
    mark = json.loads((tmp_path / "writing.json").read_text())
    del mark["shown_share"]
    (tmp_path / "writing.json").write_text(json.dumps(mark))
    with pytest.raises(UserError, match="unfinished set made with other settings; remove it"):
        write(tmp_path)


def test_sizes_do_not_mix(tmp_path):
    for name, odd in (("in_a_shard", 1), ("between_shards", 3)):
        directory = tmp_path / name
        with pytest.raises(ValueError, match="size"):
            write(
                directory,
                lambda indices, odd=odd: (make_sample(i, size=(6, 9) if i == odd else SIZE) for i in indices),
                count=4,
            )
        assert not is_finished(directory)


def test_a_set_with_fewer_samples_than_declared_is_never_finished(tmp_path):
    with pytest.raises(ValueError):
        write(tmp_path, lambda indices: samples(list(indices)[:-1]))
    assert not is_finished(tmp_path)


def skipping(*missing, made=None, killed_at=None):
    """Samples in which the indices `missing` cannot be made."""

    def samples_of(indices):
        for index in indices:
            if index == killed_at:
                raise Killed
            if made is not None:
                made.append(index)
            yield Skipped(f"{index}.png", "is damaged") if index in missing else make_sample(index)

    return samples_of


def test_skipped_files_are_listed_and_the_others_written(tmp_path):
    manifest = write(tmp_path, skipping(0, 4), skipped=[Skipped("lone.png", "has no label")])
    assert manifest.count == manifest.with_label == 5
    assert [shard.count for shard in manifest.shards] == [2, 2, 1]
    assert manifest.skipped == [
        Skipped("lone.png", "has no label"),
        Skipped("0.png", "is damaged"),
        Skipped("4.png", "is damaged"),
    ]
    assert [record["id"].decode() for record in read_all(tmp_path)] == [
        f"image_{index:03d}" for index in (1, 2, 3, 5, 6)
    ]


def test_a_whole_shard_may_be_skipped(tmp_path):
    manifest = write(tmp_path, skipping(3, 4, 5))
    assert [shard.count for shard in manifest.shards] == [3, 0, 1]
    assert len(read_all(tmp_path)) == 4
    records.verify(tmp_path)


def test_with_skipped_files_a_resumed_set_is_the_unbroken_one(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    manifest = write(whole, skipping(1, 5))
    with pytest.raises(Killed):
        write(broken, skipping(1, 5, killed_at=6))
    made = []
    assert write(broken, skipping(1, 5, made=made)) == manifest
    assert made == [6]
    assert content(broken) == content(whole)


def test_nothing_left_is_an_error_that_names_the_first_file(tmp_path):
    with pytest.raises(UserError, match="7 files were skipped; the first: 0.png is damaged"):
        write(tmp_path, skipping(*range(7)))
    assert not is_finished(tmp_path)


def test_strict_stops_at_the_first_file_and_leaves_nothing_half_written(tmp_path):
    made = []
    with pytest.raises(UserError, match="4.png is damaged"):
        write(tmp_path / "a", skipping(4, 5, made=made), count=1000, shard_images=1000, strict=True)
    assert len(made) < 200
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["writing.json"]
    with pytest.raises(UserError, match="lone.png has no label"):
        write(tmp_path / "b", skipped=[Skipped("lone.png", "has no label")], strict=True)
    # Also what was skipped before, without strict.
    with pytest.raises(Killed):
        write(tmp_path / "c", skipping(1, killed_at=5))
    with pytest.raises(UserError, match="1.png is damaged"):
        write(tmp_path / "c", strict=True)


def test_what_dies_leaves_no_half_shard(tmp_path):
    with pytest.raises(Killed):
        write(tmp_path, killed_at(5))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000-of-00003.json",
        "00000-of-00003.tfrecord",
        "writing.json",
    ]


def test_few_samples_are_in_memory_at_a_time(tmp_path):
    """However many a shard holds; each of the two stages, making and encoding, has at most two a worker."""
    alive, most = set(), []

    def sample(index):
        made = make_sample(index)
        alive.add(index)
        weakref.finalize(made, alive.discard, index)
        most.append(len(alive))
        return made

    write(tmp_path, functools.partial(in_order, sample), count=300, shard_images=300)
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    assert len(most) == 300 and max(most) <= 4 * workers + 2


def test_a_linked_set_has_the_records_of_another_and_a_role_of_its_own(tmp_path):
    manifest = write(tmp_path / "one")
    linked = records.link(tmp_path / "other", tmp_path / "one", "validation", {"labelled": 2})
    expected = dataclasses.replace(manifest, role="validation", provenance={"labelled": 2})
    assert linked == expected == records.read_manifest(tmp_path / "other")
    records.verify(tmp_path / "other")
    assert len(read_all(tmp_path / "other", purpose="evaluation")) == 7
    assert len(read_all(tmp_path / "one")) == 7
    with pytest.raises(UserError, match="validation records, which training may not open"):
        read_all(tmp_path / "other")
    assert all(path.is_symlink() for path in (tmp_path / "other").glob("*.tfrecord"))
