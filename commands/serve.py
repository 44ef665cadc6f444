"""`video-guard serve`: models that stay loaded, asked over HTTP; `video-guard api-key`: who may ask."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

_KEY_FILE = Path(".video-guard/api-keys")


def serve(
    model: Annotated[
        list[str],
        typer.Option(
            metavar="MODEL",
            help="models:/NAME/VERSION, models:/NAME@ALIAS, the folder of an adapter, or a base model. "
            "Given several times: all are served. The first one answers where a request names none.",
        ),
    ],
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but a loopback address needs API keys.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    public_name: Annotated[
        list[str] | None, typer.Option(help="Name that the service is reached under, besides its address.")
    ] = None,
    api_keys: Annotated[
        Path | None, typer.Option(help="File of hashed API keys; also VIDEO_GUARD_API_KEYS=NAME:SHA256,…")
    ] = None,
    root: Annotated[list[Path] | None, typer.Option(help="Folder whose videos requests may name by path.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="Host whose videos requests may name by URL.")] = None,
    allow_private: Annotated[bool, typer.Option("--allow-private", help="Such a host may have a private address.")] = False,
    labels: Annotated[Path | None, typer.Option(help="Manifest whose labels are scored where a request wants that.")] = None,
    num_frames: Annotated[
        int | None, typer.Option(min=1, help="Frames taken of a video, where a base model is asked.")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Requests at work or waiting; more get status 429.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, help="Longest time of a request, seconds.")] = 120.0,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer that a request may want, tokens.")] = 1024,
    batch_size: Annotated[int, typer.Option(min=1, help="Answers that one base writes at a time.")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the models on a CPU.")] = 1,
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], typer.Option(help="Where the models compute.")] = "auto",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Number format of the weights; if absent as `predict` chooses it."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that decode videos.")] = 2,
    decode_timeout: Annotated[
        float, typer.Option(min=0.1, help="Longest time to decode a video, seconds; tried twice.")
    ] = 20.0,
    decode_memory_mb: Annotated[int, typer.Option(min=64, help="Most memory to decode a video, MiB.")] = 2048,
    max_upload_mb: Annotated[float, typer.Option(min=0.001, help="Largest request, and largest video, MiB.")] = 256.0,
    max_json_mb: Annotated[float, typer.Option(min=0.001, help="Largest request that is no upload, MiB.")] = 48.0,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Longest video, seconds.")] = 600.0,
    max_side: Annotated[int, typer.Option(min=1, help="Longer side of a frame, pixels.")] = 4096,
    max_pixels: Annotated[int, typer.Option(min=1, help="Width times height of a frame.")] = 16_777_216,
    max_frames: Annotated[int, typer.Option(min=1, help="Frames of a video.")] = 100_000,
    max_sampled: Annotated[int, typer.Option(min=1, help="Most frames that a request may want of a video.")] = 64,
    max_guard_frames: Annotated[int, typer.Option(min=1, help="Most frames that the guard judges of a video.")] = 1200,
    alias_seconds: Annotated[float, typer.Option(min=0.05, help="How often MLflow is asked where aliases point.")] = 5.0,
    reports: Annotated[Path, typer.Option(help="Folder of the workbooks that are listed.")] = Path("reports"),
    temporary: Annotated[Path | None, typer.Option(help="Where the private folder of uploads is made.")] = None,
    base: Annotated[str | None, typer.Option(help="Base model in place of the recorded one: a folder or hub name.")] = None,
    state: Annotated[Path, typer.Option(help="State folder of the runs.")] = Path(".video-guard"),
    tracking_uri: Annotated[
        str | None, typer.Option(envvar="MLFLOW_TRACKING_URI", help="MLflow server, where it is not in the state folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the address as JSON.")] = False,
) -> None:
    """Serve models over HTTP until interrupted; what was accepted until then is answered.

    Exit status: 0 ended as asked; 1 MLflow does not answer; 2 the input was refused.

    Example: video-guard serve --model models:/video-guard@champion
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Loading them takes seconds, and no other command needs them.
    import torch

    from videoguard.serving.running import serve as run
    from videoguard.serving.settings import ServeSettings

    torch.set_num_threads(threads)
    settings = ServeSettings(
        models=tuple(model),
        host=host,
        port=port,
        public_names=tuple(public_name or ()),
        api_keys=api_keys,
        roots=tuple(root or ()),
        hosts=tuple(allow_host or ()),
        allow_private=allow_private,
        labels=labels,
        num_frames=num_frames,
        queue=queue,
        timeout=timeout,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        threads=threads,
        device=device,
        dtype=dtype,
        workers=workers,
        decode_timeout=decode_timeout,
        decode_memory_mb=decode_memory_mb,
        max_upload_mb=max_upload_mb,
        max_json_mb=max_json_mb,
        max_seconds=max_seconds,
        max_side=max_side,
        max_pixels=max_pixels,
        max_frames=max_frames,
        max_sampled=max_sampled,
        max_guard_frames=max_guard_frames,
        alias_seconds=alias_seconds,
        reports=reports,
        temporary=temporary,
        base=base,
        state=state,
        tracking_uri=tracking_uri,
    )
    console = Console(stderr=True)

    def tell(address: str) -> None:
        if as_json:
            typer.echo(json.dumps({"address": address, "models": model}))
        else:
            console.print(f"{address} answers; Ctrl-C ends it", highlight=False)

    run(settings, tell, lambda name: console.print(f"loading {name}", style="dim", highlight=False, markup=False))


def api_key(
    name: Annotated[str, typer.Argument(help="Who is to have it; the audit log tells this name.")],
    file: Annotated[Path, typer.Option(help="File that its SHA-256 is added to.")] = _KEY_FILE,
    as_json: Annotated[bool, typer.Option("--json", help="Print name, key and file as JSON.")] = False,
) -> None:
    """Make an API key for `video-guard serve --api-keys FILE`. It is printed once, and only its SHA-256 is kept.

    Exit status: 0 done; 2 the name is taken or not allowed.

    Example: video-guard api-key clinic
    """
    from videoguard.serving.keys import make_key

    key = make_key(name, file)
    if as_json:
        typer.echo(json.dumps({"name": name, "key": key, "file": str(file)}))
        return
    typer.echo(key)
    Console(stderr=True).print(
        f"the key of {name}, shown only now; a running service knows it after its next start (--api-keys {file})",
        highlight=False, markup=False,
    )  # fmt: skip
