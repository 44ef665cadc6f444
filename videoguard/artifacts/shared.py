"""A store that several machines share: any fsspec URL. The local store is its cache.

S3 takes its settings from the standard variables and files of AWS: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or
`AWS_PROFILE`, and `AWS_ENDPOINT_URL` for a server of one's own, such as MinIO.
"""

import logging
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fsspec

from videoguard.artifacts.garbage import Leftover
from videoguard.artifacts.records import RECORD, ArtifactRecord, parse_record
from videoguard.artifacts.verification import find_fault
from videoguard.errors import UserError

_log = logging.getLogger(__name__)

# Stores of objects: one object appears whole or not at all, and there are no folders to make. Asked for a folder, s3fs
# makes a bucket that is missing.
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci"}
_READ_AT_ONCE = 16
"""Records: each is small, and what takes time is the way there and back."""
_UPLOAD_TIME = timedelta(days=1)
"""Files without a record may be an upload that is under way on another machine, until they are older than this."""


class SharedStore:
    """Artifacts under an fsspec URL, such as `s3://bucket/video-guard`.

    The files of an artifact lie under `step/key/digest/`; its record is `step/key/artifact.json` and is written last: where
    it is found, the artifact is complete. Machines that make the same artifact at once do not mix their files.
    A lost connection raises `ConnectionError`.
    """

    def __init__(self, url: str) -> None:
        try:
            # What other machines write must be seen, so listings are not remembered.
            self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as unknown:
            raise UserError(
                f"execution.store is {url}: {unknown}; give a folder, or a URL whose fsspec package is installed (s3fs for s3://)"
            ) from None
        self.url = url
        self._root = root.rstrip("/")
        protocols = {self._files.protocol} if isinstance(self._files.protocol, str) else set(self._files.protocol)
        self._has_objects = bool(protocols & _OBJECT_STORES)
        self._client_faults = _client_faults(protocols)

    def require_usable(self) -> None:
        """Write a small file and remove it.

        Raises:
            UserError: the store does not answer, does not exist or may not be written to.
        """
        probe = self._place(f".probe-{uuid.uuid4().hex}")
        try:
            with self._connection():
                self._make_folder(self._root)
                self._files.pipe_file(probe, b"video-guard")
                self._files.rm_file(probe)
        except OSError as fault:
            raise UserError(
                f"execution.store is {self.url}: {fault}; check that it exists and may be written to, the network, and for "
                "S3 AWS_ENDPOINT_URL and the credentials (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
            ) from None

    @contextmanager
    def mark(self) -> Iterator[str]:
        """The name of a small file that is in the store during the block, for other machines to look for."""
        name = f".mark-{uuid.uuid4().hex}"
        with self._connection():
            self._make_folder(self._root)
            self._files.pipe_file(self._place(name), b"video-guard")
        try:
            yield name
        finally:
            with self._connection():
                self._files.rm_file(self._place(name))

    def has_mark(self, name: str) -> bool:
        """Whether this machine sees the `mark` of another one."""
        with self._connection():
            return bool(self._files.exists(self._place(name)))

    def fetch(self, step: str, key: str, folder: Path) -> ArtifactRecord | None:
        """Copy the files of an artifact into the empty `folder`, verified; None where it is not there or not whole."""
        with self._connection():
            record = self._read(self._place(step, key, RECORD))
            if record is None:
                return None
            try:
                for name in record.files:
                    file = folder / name
                    file.parent.mkdir(parents=True, exist_ok=True)
                    self._files.get_file(self._content(record, name), str(file))
            except FileNotFoundError as missing:
                _log.warning("artifact %s/%s in %s is damaged: %s", step, key, self.url, missing)
                return None
        damage = (
            "its record is another one's" if (record.step, record.key) != (step, key) else find_fault(folder, record.files)
        )
        if damage is not None:
            _log.warning("artifact %s/%s in %s is damaged: %s", step, key, self.url, damage)
            return None
        return record

    def has(self, step: str, key: str) -> bool:
        """Whether the artifact is there, complete."""
        with self._connection():
            return bool(self._files.exists(self._place(step, key, RECORD)))

    def put(self, record: ArtifactRecord, folder: Path) -> None:
        """Copy an artifact to the store, its record last."""
        with self._connection():
            for name in record.files:
                self._upload(folder / name, self._content(record, name))
            self._upload(folder / RECORD, self._place(record.step, record.key, RECORD))

    def remove(self, step: str, key: str) -> bool:
        """Remove an artifact, its record first, so that nobody takes the rest for whole; always True."""
        with self._connection():
            marker, folder = self._place(step, key, RECORD), self._place(step, key)
            if self._files.exists(marker):
                self._files.rm_file(marker)
            if self._files.exists(folder):
                self._files.rm(folder, recursive=True)
        return True

    def records(self) -> list[ArtifactRecord]:
        """Records of all complete artifacts, oldest first."""
        with self._connection():
            found = (self._read(path) for path in self._files.glob(self._place("*", "*", RECORD)))
            return sorted((record for record in found if record is not None), key=lambda record: record.created)

    def records_of(self, step: str, known: Collection[str]) -> list[ArtifactRecord]:
        """Records of a step's complete artifacts but those of `known` keys, oldest first."""
        with self._connection(), ThreadPoolExecutor(_READ_AT_ONCE) as threads:
            places = self._files.glob(self._place(step, "*", RECORD))
            found = threads.map(self._read, (place for place in places if place.split("/")[-2] not in known))
            return sorted((record for record in found if record is not None), key=lambda record: record.created)

    def find_damage(self, record: ArtifactRecord) -> str | None:
        """The first file that is missing or has another size, in words; the bytes are not read."""
        with self._connection():
            for name, expected in record.files.items():
                place = self._content(record, name)
                if not self._files.exists(place):
                    return f"{name} is missing"
                size = self._files.size(place)
                if size != expected.size:
                    return f"{name} has {size:,} bytes, {expected.size:,} were written"
        return None

    def leftovers(self) -> list[Leftover]:
        """Files of uploads that were cut off and of artifacts that were replaced, at least a day ago."""
        with self._connection():
            whole = {f"{record.name}/{_content_name(record)}" for record in self.records()}
            found: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
            for path, known in self._files.find(self._root, detail=True).items():
                parts = path.removeprefix(self._root).strip("/").split("/")
                name = "/".join(parts[:3])
                if len(parts) > 3 and name not in whole:
                    found[name].append((int(known["size"]), self._files.modified(path)))
        leftovers = [
            Leftover(name, "draft", sum(size for size, _ in files), max(modified for _, modified in files))
            for name, files in sorted(found.items())
        ]
        return [leftover for leftover in leftovers if datetime.now(UTC) - leftover.modified > _UPLOAD_TIME]

    def remove_leftover(self, leftover: Leftover) -> bool:
        """Remove the files of one of `leftovers`."""
        with self._connection():
            self._files.rm(self._place(leftover.name), recursive=True)
        return True

    def busy(self) -> list[str]:
        """None: it is not known what other machines are at work on."""
        return []

    def _read(self, path: str) -> ArtifactRecord | None:
        try:
            return parse_record(self._files.cat_file(path))
        except FileNotFoundError:
            return None

    def _upload(self, file: Path, place: str) -> None:
        if self._has_objects:
            self._files.put_file(str(file), place)
            return
        self._make_folder(place.rsplit("/", 1)[0])
        temporary = f"{place}.{uuid.uuid4().hex}"
        self._files.put_file(str(file), temporary)
        self._files.mv(temporary, place)

    def _make_folder(self, place: str) -> None:
        if not self._has_objects:
            self._files.makedirs(place, exist_ok=True)

    def _content(self, record: ArtifactRecord, name: str) -> str:
        return self._place(record.step, record.key, _content_name(record), name)

    def _place(self, *parts: str) -> str:
        return "/".join([self._root, *parts])

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """Name the store where its client loses it: what the client raises of its own names neither."""
        try:
            yield
        except self._client_faults as fault:
            raise ConnectionError(f"shared store {self.url}: {fault}") from fault


def _content_name(record: ArtifactRecord) -> str:
    return record.digest[:32]


def _client_faults(protocols: set[str]) -> tuple[type[Exception], ...]:
    """What the client of a store raises besides `OSError` where it is not reached."""
    if protocols & {"s3", "s3a"}:
        from botocore.exceptions import BotoCoreError

        return (BotoCoreError,)
    return ()
