import pytest

from videoguard.progress import Progress, listening, tell


def test_every_listener_hears_what_is_told_within_its_block():
    first: list[Progress] = []
    second: list[Progress] = []
    half, whole = Progress("frames", 1, 2), Progress("frames", 2, 2, "done")
    with listening(first.append):
        tell(half)
        with listening(second.append):
            tell(whole)
    tell(half)
    assert (first, second) == ([half, whole], [whole])


def test_a_failing_block_ends_the_listening():
    heard: list[Progress] = []

    def fail() -> None:
        with listening(heard.append):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    tell(Progress("frames", 1, 2))
    assert heard == []
