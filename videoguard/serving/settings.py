"""`ServeSettings`: how the service runs. The options of `video-guard serve` have the same names and defaults."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from videoguard.config.section import PositiveFloat, PositiveInt, Section
from videoguard.frames.rule import SourceLimits

MB = 1 << 20
Port = Annotated[int, Field(ge=0, le=65535)]


class ServeSettings(Section):
    """How the service runs."""

    models: tuple[str, ...]
    """Registered versions or aliases, folders of adapters, base models."""
    state: Path = Path(".video-guard")
    """State folder of the runs: MLflow's database, and the audit log under `serving/`."""
    tracking_uri: str | None = None
    """MLflow server or database, where it is not in the state folder."""
    base: str | None = None
    """Base model in place of the recorded ones: a folder or hub name."""
    num_frames: PositiveInt | None = None
    """Frames taken of a video, where a base model is asked and the request names none."""
    device: Literal["auto", "cuda", "mps", "cpu"] = "auto"
    """Where the models compute."""
    dtype: str | None = None
    """Number format of the weights; as `video-guard predict` chooses it when absent."""
    batch_size: PositiveInt = 32
    """Answers that one base writes at a time."""
    threads: PositiveInt = 1
    """Threads of PyTorch on a CPU."""
    labels: Path | None = None
    """Manifest whose labels are scored where a request wants that."""

    host: str = "127.0.0.1"
    """Address to listen at; any but a loopback address needs API keys."""
    port: Port = 8080
    """0 takes a free one."""
    public_names: tuple[str, ...] = ()
    """Names that the service is reached under, besides its address."""
    api_keys: Path | None = None
    """File of hashed API keys."""

    roots: tuple[Path, ...] = ()
    """Folders whose videos a request may name by their path."""
    hosts: tuple[str, ...] = ()
    """Hosts whose videos a request may name by their URL."""
    allow_private: bool = False
    """Whether these hosts may have private addresses."""
    reports: Path = Path("reports")
    """Folder of the workbooks that are listed."""
    temporary: Path | None = None
    """Folder for uploads, in which a private one is made; that of the system when absent."""

    queue: PositiveInt = 64
    """Requests at work or waiting; more are turned away with 429."""
    timeout: PositiveFloat = 120.0
    """Longest time from a request's arrival to its answer, seconds."""
    max_new_tokens: PositiveInt = 1024
    """Longest answer that a request may want, tokens."""
    workers: PositiveInt = 2
    """Processes that decode videos."""
    decode_timeout: PositiveFloat = 20.0
    """Longest time to decode one video, seconds; tried twice."""
    decode_memory_mb: PositiveInt = 2048
    """Most memory to decode one video, MiB."""
    max_upload_mb: PositiveFloat = 256.0
    """Largest request, and largest video, MiB."""
    max_json_mb: PositiveFloat = 48.0
    """Largest request that is no upload, MiB: it is read into memory, a video within it too."""
    max_seconds: PositiveFloat = 600.0
    """Longest video, seconds."""
    max_side: PositiveInt = 4096
    """Longer side of a video's frame, pixels."""
    max_pixels: PositiveInt = 16_777_216
    """Width times height of a video's frame."""
    max_frames: PositiveInt = 100_000
    """Frames of a video."""
    max_sampled: PositiveInt = 64
    """Most frames that a request may have taken of a video for a base model."""
    max_guard_frames: PositiveInt = 1200
    """Most frames that the guard judges of a video."""
    alias_seconds: PositiveFloat = 5.0
    """How often MLflow is asked whether an alias has moved."""

    @property
    def limits(self) -> SourceLimits:
        """What is refused by a video's header, before it is decoded."""
        return SourceLimits(self.max_side, self.max_pixels, self.max_seconds, self.max_frames)

    @property
    def most_bytes(self) -> int:
        """Largest request."""
        return int(self.max_upload_mb * MB)
