"""WordNet, whose synonyms METEOR matches: found on the machine, or brought into the state folder."""

import functools
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.wordnet_origins import DATABASE, FILES, Origin, OriginError, installing_origins, local_origins

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

_FOLDER = "wordnet"
_ORIGIN_NOTE = "origin.txt"
_MEND = (
    "install Debian's packages wordnet-base and wordnet-sense-index, or run `python -m nltk.downloader wordnet` where the "
    "internet is reached, then `video-guard doctor --prepare`"
)


@dataclass(frozen=True, slots=True)
class WordNetSource:
    """A WordNet 3.0 that NLTK can read."""

    origin: str
    """Where it came from, in words."""
    location: str
    """Folder or zip file of the database."""
    root: str | None = None
    """Data folder that NLTK must be told of; None where it knows it."""


def find_wordnet(state: Path) -> WordNetSource | None:
    """WordNet as it is on the machine: the copy in the state folder, else NLTK's own data. Nothing is written.

    The copy comes first because to look for it takes no time, while NLTK is imported for seconds.
    """
    return _in_state(state) or _in_nltk_data()


def provide_wordnet(state: Path, *, install: bool) -> WordNetSource:
    """WordNet by the first way that works.

    The ways: the copy made earlier in `<state>/wordnet`; NLTK's own data; a copy of `/usr/share/wordnet`; and, with
    `install`, NLTK's download and Debian's packages (installed by apt as root, else unpacked into the state folder).

    Args:
        state: state folder; nothing is written outside of it but by apt as root.
        install: whether anything may be fetched.

    Raises:
        MissingResourceError: no way worked; the message lists them.
    """
    found = find_wordnet(state)
    if found is not None:
        return found
    tried: list[str] = []
    for origin in [*local_origins(), *(installing_origins() if install else ())]:
        try:
            return _bring(origin, state)
        except (OriginError, OSError) as failure:
            tried.append(f"{origin.name} ({failure})")
    raise MissingResourceError(
        f"WordNet is not on this machine: METEOR cannot be scored without it. Tried NLTK's data folders, {state / _FOLDER}, "
        f"{', '.join(tried)}",
        _MEND,
    )


@functools.lru_cache(maxsize=1)
def open_wordnet(source: WordNetSource) -> "WordNetCorpusReader":
    """NLTK's reader over this WordNet, independent of `nltk.corpus.wordnet`; English only. The last one is kept open.

    Raises:
        MissingResourceError: the files are damaged, or NLTK refuses them because another account could change them.
    """
    import nltk.data
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    class EnglishReader(WordNetCorpusReader):  # type: ignore[misc]  # the library has no types
        def map_wn(self, version: str = "wordnet") -> None:
            """Leave out the map of synsets between versions: only other languages need it, and it takes seconds."""

    if source.root is not None and source.root not in nltk.data.path:
        # NLTK opens no file outside the folders of this list.
        nltk.data.path.append(source.root)
    try:
        pointer = _pointer([source.root] if source.root is not None else nltk.data.path)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The multilingual functions are not available")
            reader = EnglishReader(pointer, None)
        known = reader.synsets("squat")
    except (LookupError, OSError, ValueError, AssertionError, StopIteration) as fault:
        raise _damaged(source, str(fault) or "a file ends too early") from fault
    if not known:
        raise _damaged(source, "it does not know the word squat")
    return reader


def _damaged(source: WordNetSource, fault: str) -> MissingResourceError:
    mend = f"delete {source.location} and run `video-guard doctor --prepare`"
    return MissingResourceError(f"WordNet at {source.location} cannot be read: {fault}", mend)


def _in_nltk_data() -> WordNetSource | None:
    import nltk.data

    # A copy that this process has told NLTK of is not NLTK's own; it may even belong to another state folder.
    paths = [path for path in nltk.data.path if not Path(path, _ORIGIN_NOTE).is_file()]
    try:
        pointer = _pointer(paths)
    except (LookupError, OSError):
        # OSError: NLTK refuses data that another account could change; another way is tried.
        return None
    return WordNetSource("NLTK data", str(pointer))


def _in_state(state: Path) -> WordNetSource | None:
    root = (state / _FOLDER).resolve()
    database = root / DATABASE
    if not _is_complete(database):
        return None
    note = root / _ORIGIN_NOTE
    origin = note.read_text(encoding="utf-8").strip() if note.is_file() else "copy"
    return WordNetSource(origin, str(database), str(root))


def _is_complete(database: Path) -> bool:
    return all((database / name).is_file() and (database / name).stat().st_size > 0 for name in FILES)


def _pointer(paths: Sequence[str]) -> object:
    """NLTK's pointer to the database folder, or into the zip file that NLTK's downloader leaves."""
    import nltk.data

    try:
        return nltk.data.find(DATABASE, paths)
    except LookupError:
        return nltk.data.find(f"{DATABASE}.zip/wordnet/", paths)


def _bring(origin: Origin, state: Path) -> WordNetSource:
    """Make the copy in the state folder: complete under its final name, or not there at all."""
    state.mkdir(parents=True, exist_ok=True)
    target = state / _FOLDER
    with tempfile.TemporaryDirectory(prefix=f"{_FOLDER}-", dir=state) as draft:
        made = Path(draft) / _FOLDER
        origin.bring(made / DATABASE)
        if not _is_complete(made / DATABASE):
            missing = [name for name in FILES if not (made / DATABASE / name).is_file()]
            raise OriginError(f"it lacks {', '.join(missing) or 'the content of a file'}")
        (made / _ORIGIN_NOTE).write_text(origin.name + "\n", encoding="utf-8")
        _make_private(made)
        if target.exists() and _in_state(state) is None:
            shutil.rmtree(target)
        try:
            made.rename(target)
        except OSError:
            # Another process may have put its copy there meanwhile, which serves as well.
            if _in_state(state) is None:
                raise
    brought = _in_state(state)
    assert brought is not None
    return brought


def _make_private(folder: Path) -> None:
    """Take the write permission of others away: NLTK reads no file that another account could change."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
