"""The ways by which WordNet comes onto a machine. Each fills a folder with the files that NLTK reads."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DATABASE = "corpora/wordnet"
"""Place of the database within an NLTK data folder."""

SYSTEM_DATABASE = Path("/usr/share/wordnet")
"""Where Debian's packages put it."""

FILES = (
    *(f"{kind}.{word_class}" for kind in ("data", "index") for word_class in ("adj", "adv", "noun", "verb")),
    *(f"{word_class}.exc" for word_class in ("adj", "adv", "noun", "verb")),
    "index.sense",
    "lexnames",
)
"""Files of WordNet 3.0 that NLTK's reader opens."""

_PACKAGES = ("wordnet-base", "wordnet-sense-index")
_TIMEOUT_S = 300
_NLTK_DOWNLOAD = "import nltk, sys; nltk.download('wordnet', sys.argv[1], quiet=True, raise_on_error=True)"
_APT = ("apt-get", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20")

# The lexicographer files in the order of their numbers, from 00 (WordNet manual, lexnames(5WN)). Debian's packages lack
# this file.
_LEXICOGRAPHER_FILES = (
    *("adj.all", "adj.pert", "adv.all", "noun.Tops", "noun.act", "noun.animal", "noun.artifact", "noun.attribute"),
    *("noun.body", "noun.cognition", "noun.communication", "noun.event", "noun.feeling", "noun.food", "noun.group"),
    *("noun.location", "noun.motive", "noun.object", "noun.person", "noun.phenomenon", "noun.plant", "noun.possession"),
    *("noun.process", "noun.quantity", "noun.relation", "noun.shape", "noun.state", "noun.substance", "noun.time"),
    *("verb.body", "verb.change", "verb.cognition", "verb.communication", "verb.competition", "verb.consumption"),
    *("verb.contact", "verb.creation", "verb.emotion", "verb.motion", "verb.perception", "verb.possession"),
    *("verb.social", "verb.stative", "verb.weather", "adj.ppl"),
)
_SYNTACTIC_CATEGORY = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


class OriginError(Exception):
    """This way does not work here; the message says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A way to WordNet: its name for the user, and what fills a given folder that does not exist yet."""

    name: str
    bring: Callable[[Path], None]


def local_origins() -> list[Origin]:
    """Ways that fetch nothing."""
    return [Origin(str(SYSTEM_DATABASE), lambda database: copy_database(SYSTEM_DATABASE, database))]


def installing_origins() -> list[Origin]:
    """Ways that fetch from a network, first choice first."""
    origins = [Origin("NLTK's download", _download_from_nltk)]
    if os.geteuid() == 0:
        origins.append(Origin("Debian's packages, installed by apt", _install_debian_packages))
    origins.append(Origin("Debian's packages, unpacked", _unpack_debian_packages))
    return origins


def copy_database(source: Path, database: Path) -> None:
    """Copy the database files of a WordNet 3.0 folder and add `lexnames` where it is missing.

    Raises:
        OriginError: there is no such folder.
    """
    if not source.is_dir():
        raise OriginError("no such folder")
    database.mkdir(parents=True)
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, database / name)
    lexnames = database / "lexnames"
    if not lexnames.exists():
        lexnames.write_text(lexnames_table(), encoding="utf-8")


def lexnames_table() -> str:
    """Content of WordNet's file `lexnames`: number, lexicographer file and syntactic category, tab-separated."""
    lines = (
        f"{number:02d}\t{name}\t{_SYNTACTIC_CATEGORY[name.split('.')[0]]}\n"
        for number, name in enumerate(_LEXICOGRAPHER_FILES)
    )
    return "".join(lines)


def unpack_nltk_archive(archive: Path, database: Path) -> None:
    """Unpack the `wordnet.zip` of NLTK's downloader.

    Raises:
        OriginError: the file is no zip archive with a folder `wordnet`.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            shutil.unpack_archive(archive, folder, "zip")
        except shutil.ReadError as fault:
            raise OriginError(str(fault)) from fault
        copy_database(Path(folder) / "wordnet", database)


def _download_from_nltk(database: Path) -> None:
    # In a process of its own: a connection that hangs is ended with it.
    with tempfile.TemporaryDirectory() as folder:
        # NLTK writes only into folders that it knows as its own, hence the variable.
        _run((sys.executable, "-c", _NLTK_DOWNLOAD, folder), variables={"NLTK_DATA": folder})
        archive = Path(folder) / f"{DATABASE}.zip"
        if not archive.is_file():
            raise OriginError("the download left no file")
        unpack_nltk_archive(archive, database)


def _install_debian_packages(database: Path) -> None:
    install = (*_APT, "install", "-y", "--no-install-recommends", *_PACKAGES)
    try:
        _run(install)
    except OriginError:
        # The lists of a fresh container are absent, those of an old one point at packages that are gone.
        _run((*_APT, "update"))
        _run(install)
    copy_database(SYSTEM_DATABASE, database)


def _unpack_debian_packages(database: Path) -> None:
    """Fetch the packages with package lists of their own, which needs no root, and unpack them aside."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for needed in ("lists/partial", "cache/archives/partial", "packages", "tree"):
            (folder / needed).mkdir(parents=True)
        own_state = (
            *("-o", f"Dir::State::lists={folder / 'lists'}", "-o", f"Dir::Cache={folder / 'cache'}"),
            *("-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User="),
        )
        _run((*_APT, *own_state, "update"))
        _run((*_APT, *own_state, "download", *_PACKAGES), folder / "packages")
        for package in sorted((folder / "packages").glob("*.deb")):
            _run(("dpkg-deb", "-x", str(package), str(folder / "tree")))
        copy_database(folder / "tree" / SYSTEM_DATABASE.relative_to("/"), database)


def _run(command: Sequence[str], folder: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
    """Run a command; its failure is the last line that it wrote."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **(variables or {})}
    try:
        done = subprocess.run(  # noqa: S603  the commands are the program's own
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as fault:
        raise OriginError(f"{command[0]} is not on this machine") from fault
    except subprocess.TimeoutExpired as fault:
        raise OriginError(f"{Path(command[0]).name} did not end within {_TIMEOUT_S} s") from fault
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or [f"exit status {done.returncode}"]
        raise OriginError(f"{Path(command[0]).name}: {lines[-1].strip()}")
