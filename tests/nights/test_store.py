"""Nights are kept by date and content, on one machine and for a team."""

from tests.nights.nights import night, samples
from videoguard.nights.night import NIGHT, sample_keys
from videoguard.nights.store import NightStore


def test_nights_are_read_as_they_were_kept_and_none_replaces_another(tmp_path):
    store = NightStore(tmp_path, "walks", "trial")
    assert store.nights() == []
    kept = samples({"right": [1.0, None], "likeness": [0.25, 0.5]}, measures={"brightness": 3.0, "width": 64.0})
    later, first, again = night(3), night(1), night(1, digest="ffffffff")
    for each in (later, first, again):
        store.add(each, kept)
    assert [each.name for each in store.nights()] == [first.name, again.name, later.name]
    assert store.nights()[-1] == later
    assert store.samples(later) == kept
    assert NightStore(tmp_path, "walks", "other").nights() == []


def test_a_damaged_night_is_left_out_and_a_torn_one_is_not_there(tmp_path):
    store = NightStore(tmp_path, "walks", "trial")
    folder = store.add(night(1), samples({"right": [1.0]}))
    store.add(night(2), samples({"right": [1.0]}))
    (folder / NIGHT).write_text("{")
    (store.root / ".half").mkdir()
    assert [each.digest for each in store.nights()] == ["00000002"]


def test_machines_that_share_a_store_see_each_others_nights(tmp_path):
    shared = str(tmp_path / "shared")
    here, there = (NightStore(tmp_path / name, "walks", "trial", shared) for name in ("here", "there"))
    here.add(night(1), samples({"right": [1.0]}))
    there.add(night(2), samples({"right": [0.0]}))
    assert [each.digest for each in here.nights()] == [each.digest for each in there.nights()] == ["00000001", "00000002"]
    assert here.samples(night(2)) == samples({"right": [0.0]})
    # Kept while the store was not reached: sent by the next look.
    NightStore(tmp_path / "here", "walks", "trial").add(night(3), samples({"right": [1.0]}))
    assert len(here.nights()) == len(there.nights()) == 3


def test_a_sample_has_its_key_by_what_is_shown_asked_and_wanted():
    same = ("digest", "Which?", "squat")
    keys = sample_keys([same, ("digest", "Which?", "lunge"), same])
    assert len(set(keys)) == 3
    assert keys[2] == f"{keys[0]}-2"
