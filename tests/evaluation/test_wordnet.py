import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import nltk.data
import pytest

from videoguard.evaluation import wordnet_origins
from videoguard.evaluation.resources import MissingResourceError
from videoguard.evaluation.wordnet import WordNetSource, find_wordnet, open_wordnet, provide_wordnet
from videoguard.evaluation.wordnet_origins import DATABASE, FILES, OriginError, lexnames_table, unpack_nltk_archive

if TYPE_CHECKING:
    from nltk.corpus.reader.wordnet import WordNetCorpusReader


@pytest.fixture
def debian_folder(wordnet_source: WordNetSource, tmp_path: Path) -> Path:
    """A `/usr/share/wordnet` as Debian's packages leave it: without `lexnames`."""
    database = Path(wordnet_source.location)
    if not database.is_dir():
        pytest.skip(f"{database} is not a folder")
    folder = tmp_path / "usr-share-wordnet"
    folder.mkdir()
    for name in FILES:
        if name != "lexnames":
            (folder / name).symlink_to(database / name)
    return folder


def test_lexnames_is_the_table_of_the_manual() -> None:
    lines = lexnames_table().splitlines()
    assert len(lines) == 45
    assert lines[0] == "00\tadj.all\t3"
    assert lines[2:6] == ["02\tadv.all\t4", "03\tnoun.Tops\t1", "04\tnoun.act\t1", "05\tnoun.animal\t1"]
    assert lines[28:30] == ["28\tnoun.time\t1", "29\tverb.body\t2"]
    assert lines[38] == "38\tverb.motion\t2"
    assert lines[43:] == ["43\tverb.weather\t2", "44\tadj.ppl\t3"]


def test_the_reader_knows_words_synonyms_and_lexicographer_files(wordnet: "WordNetCorpusReader") -> None:
    assert {"car", "auto", "automobile"} <= set(wordnet.synset("car.n.01").lemma_names())
    assert wordnet.synset("dog.n.01").lexname() == "noun.animal"
    assert wordnet.synset("run.v.01").lexname() == "verb.motion"
    assert wordnet.get_version() == "3.0"


def test_the_system_copy_is_brought_into_the_state_folder(
    no_wordnet: Path, debian_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_wordnet(no_wordnet) is None
    monkeypatch.setattr(wordnet_origins, "SYSTEM_DATABASE", debian_folder)
    source = provide_wordnet(no_wordnet, install=False)
    database = no_wordnet / "wordnet" / DATABASE
    assert source == find_wordnet(no_wordnet)
    assert (source.location, Path(source.root or "")) == (str(database), no_wordnet / "wordnet")
    assert {path.name for path in database.iterdir()} == set(FILES)
    assert not any(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) for path in no_wordnet.joinpath("wordnet").rglob("*"))
    assert [path.name for path in no_wordnet.iterdir()] == ["wordnet"]
    assert open_wordnet(source).synsets("squat")


def test_an_incomplete_copy_is_made_again(no_wordnet: Path, debian_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet_origins, "SYSTEM_DATABASE", debian_folder)
    provide_wordnet(no_wordnet, install=False)
    noun_data = no_wordnet / "wordnet" / DATABASE / "data.noun"
    noun_data.write_bytes(b"")
    assert find_wordnet(no_wordnet) is None
    provide_wordnet(no_wordnet, install=False)
    assert noun_data.stat().st_size == (debian_folder / "data.noun").stat().st_size


def test_an_incomplete_system_copy_is_refused_and_leaves_nothing(
    no_wordnet: Path, debian_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (debian_folder / "index.sense").unlink()
    monkeypatch.setattr(wordnet_origins, "SYSTEM_DATABASE", debian_folder)
    with pytest.raises(MissingResourceError, match=r"it lacks index\.sense"):
        provide_wordnet(no_wordnet, install=False)
    assert list(no_wordnet.iterdir()) == []


def test_damaged_data_is_refused_with_the_mend(
    no_wordnet: Path, debian_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wordnet_origins, "SYSTEM_DATABASE", debian_folder)
    source = provide_wordnet(no_wordnet, install=False)
    (Path(source.location) / "index.noun").write_text("no index\n")
    with pytest.raises(MissingResourceError, match=r"cannot be read.*delete .*wordnet"):
        open_wordnet(source)


def test_the_archive_of_nltk_serves_in_place_and_unpacked(
    no_wordnet: Path, debian_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (debian_folder / "lexnames").write_text(lexnames_table())
    root = tmp_path / "nltk_data"
    shutil.copytree(debian_folder, tmp_path / "archive" / "wordnet")
    archive = Path(shutil.make_archive(str(root / DATABASE), "zip", tmp_path / "archive", "wordnet"))
    (root / "corpora").chmod(0o755)

    unpack_nltk_archive(archive, tmp_path / "unpacked")
    assert {path.name for path in (tmp_path / "unpacked").iterdir()} == set(FILES)

    monkeypatch.setattr(nltk.data, "path", [str(root)])
    source = provide_wordnet(no_wordnet, install=False)
    assert (source.origin, source.root) == ("NLTK data", None)
    assert open_wordnet(source).synsets("squat")
    assert not no_wordnet.exists()


def test_a_file_that_is_no_archive_is_a_failed_way(tmp_path: Path) -> None:
    (tmp_path / "wordnet.zip").write_bytes(b"<html>404</html>")
    with pytest.raises(OriginError, match="not a zip file"):
        unpack_nltk_archive(tmp_path / "wordnet.zip", tmp_path / "database")


def test_without_wordnet_the_error_lists_what_was_tried(no_wordnet: Path) -> None:
    with pytest.raises(
        MissingResourceError, match=r"Tried NLTK's data folders, .*absent \(no such folder\).*wordnet-sense-index"
    ):
        provide_wordnet(no_wordnet, install=False)


@pytest.mark.slow
def test_debians_packages_are_unpacked_without_root(tmp_path: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not on this machine")
    unpacked = next(origin for origin in wordnet_origins.installing_origins() if origin.name.endswith("unpacked"))
    try:
        unpacked.bring(tmp_path / "database")
    except OriginError as failure:
        pytest.skip(f"Debian's packages are not reached: {failure}")
    assert {path.name for path in (tmp_path / "database").iterdir()} == set(FILES)
    assert (tmp_path / "database" / "data.noun").stat().st_size == 15_300_280
