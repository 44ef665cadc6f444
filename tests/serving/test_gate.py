"""Room, time, size and keys: what is refused before anything is computed."""

import socket
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from commands.main import app
from tests.serving.conftest import QUESTION, running
from tests.serving.test_predicting import LENGTH, Held, post
from videoguard.errors import UserError
from videoguard.serving.clips import Uploads
from videoguard.serving.keys import ApiKeys, load_keys, make_key
from videoguard.serving.running import check


def open_request(address: str, head: str) -> socket.socket:
    """A connection that has sent the beginning of a request."""
    parts = urlsplit(address)
    assert parts.hostname is not None
    connection = socket.create_connection((parts.hostname, parts.port or 80), 60)
    connection.sendall(head.replace("\n", "\r\n").encode())
    return connection


def test_more_than_there_is_room_for_is_turned_away_and_room_comes_back(settings, video):
    with running(settings(queue=1)) as one:
        host = urlsplit(one.address).netloc
        head = (
            f"POST /v1/predict HTTP/1.1\nHost: {host}\nContent-Length: 9\nContent-Type: multipart/form-data; boundary=x\n\n"
        )
        with Held(one) as held, open_request(one.address, head) as slow:
            while not one.service.counters.under_way._value.get():
                pass
            refused = post(one, video)
            slow.sendall(b"--x--\r\n\r\n")
            assert slow.recv(12) == b"HTTP/1.1 422"
            del held
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["thing"] == "requests under way"
        assert one.client.get("/health").status_code == 200
        assert post(one, video).status_code == 200


def test_what_is_late_is_ended_and_the_model_goes_on(settings, video):
    with running(settings(timeout=2.0)) as hasty:
        with Held(hasty):
            late = post(hasty, video)
        assert late.status_code == 504
        assert late.json()["thing"] == "the time of the request"
        host = urlsplit(hasty.address).netloc
        head = (
            f"POST /v1/predict HTTP/1.1\nHost: {host}\nContent-Length: 9\nContent-Type: multipart/form-data; boundary=x\n\n"
        )
        with open_request(hasty.address, head) as slow:
            assert slow.recv(12) == b"HTTP/1.1 408"
        assert post(hasty, video).status_code == 200


def test_what_is_too_large_or_compressed_is_refused(served, video):
    huge = served.client.post("/v1/predict", files={"video": b"\0" * (9 << 20)})
    assert (huge.status_code, huge.json()["rule"]) == (413, "this is the most (--max-upload-mb)")

    def unannounced():
        yield b'--x\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n'
        for _ in range(9):
            yield b"\0" * (1 << 20)

    form = {"content-type": "multipart/form-data; boundary=x"}
    assert served.client.post("/v1/predict", content=unannounced(), headers=form).status_code == 413
    packed = served.client.post("/v1/predict", content=b"\x1f\x8b", headers={**form, "content-encoding": "gzip"})
    assert (packed.status_code, packed.json()["thing"]) == (415, "Content-Encoding")
    assert post(served, video).status_code == 200


@pytest.mark.parametrize(
    ("headers", "thing"), [({"Host": "evil.example"}, "Host"), ({"Origin": "https://evil.example"}, "Origin")]
)
def test_without_keys_a_page_of_another_site_gets_nothing(served, headers, thing):
    refused = served.client.get("/v1/models", headers=headers)
    assert (refused.status_code, refused.json()["thing"]) == (403, thing)


def test_with_keys_only_those_who_have_one_are_answered(settings, video, tmp_path):
    file = tmp_path / "keys"
    key = make_key("clinic", file)
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    with running(settings(), load_keys(file, None)) as locked:
        assert locked.client.get("/v1/models").status_code == 401
        assert locked.client.get("/metrics").status_code == 401
        assert post(locked, video).headers["www-authenticate"] == "Bearer"
        assert locked.client.get("/v1/models", headers={"X-API-Key": key[:-1]}).status_code == 401
        assert locked.client.get("/ready").status_code == 200
        locked.client.headers["Authorization"] = f"Bearer {key}"
        assert post(locked, video, question=QUESTION, max_new_tokens=LENGTH).status_code == 200
        assert '"key": "clinic"' in locked.service.audit.path.read_text()


def test_keys_are_made_and_read(tmp_path):
    file = tmp_path / "keys"
    done = CliRunner().invoke(app, ["api-key", "one", "--file", str(file)])
    assert done.exit_code == 0
    key = done.stdout.strip()
    assert load_keys(file, None).find(key) == "one"
    assert load_keys(None, file.read_text().strip()).find(key) == "one"
    with pytest.raises(UserError, match="has a key one already: take another name"):
        make_key("one", file)
    with pytest.raises(UserError, match=r"it must have 1 to 64 letters"):
        make_key("a:b", file)
    file.write_text("# those who may\n\none:abc\n")
    with pytest.raises(UserError, match=r"keys, line 3 is not NAME:SHA-256"):
        load_keys(file, None)


def test_an_address_that_others_reach_needs_keys(settings, tmp_path):
    for host in ("0.0.0.0", "192.168.1.5", "::", "example.org"):
        with pytest.raises(UserError, match=rf"--host is {host}: an address that others reach needs API keys"):
            check(settings(host=host))
    make_key("one", tmp_path / "keys")
    assert len(check(settings(host="0.0.0.0", api_keys=tmp_path / "keys"))) == 1
    assert check(settings(host="::1")).find("") is None
    with pytest.raises(UserError, match=r"--root is .*nowhere: there is no such folder"):
        check(settings(roots=(tmp_path / "nowhere",)))
    assert len(ApiKeys({})) == 0


def test_what_a_killed_service_left_is_removed_by_the_next(settings, tmp_path):
    left, other = tmp_path / "video-guard-uploads-left", tmp_path / "video-guard-metrics"
    for folder in (left, other):
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "clip.mp4").touch()
    first = Uploads(settings(temporary=tmp_path))
    second = Uploads(settings(temporary=tmp_path))
    assert {folder.name for folder in tmp_path.iterdir()} == {other.name, first.folder.name, second.folder.name}
    for uploads in (first, second):
        uploads.remove()
    assert [folder.name for folder in tmp_path.iterdir()] == [other.name]
