import os
from pathlib import Path
from typing import Any

import pytest

from service.contract.errors import SetupError, TooLarge
from service.sweep.inputs import Finder, Inputs
from service.sweep.reading import read_file
from service.sweep.seen import Seen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `photos` in the current one, with pictures on three levels."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.JPG", "c/d.png", "c/e/f.png", "notes.txt"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "photos"


def finder(*paths: str, own: tuple[Path, ...] = (), **given: Any) -> Finder:
    how: dict[str, Any] = {"listing": None, "null": False, "recursive": True, **given}
    return Finder(Inputs(paths, suffixes={".png", ".jpg"}, **how), own)


def test_folders_give_what_fits_in_order(folder: Path) -> None:
    """Behind the folder's name as it was given, and the rest is counted."""
    found = finder("photos")
    assert list(found.files()) == [
        "photos/a.JPG",
        "photos/b.png",
        "photos/c/d.png",
        "photos/c/e/f.png",
    ]
    assert (found.skipped, found.passed_by) == (1, 0)


def test_folders_are_searched_one_level_deep_unless_asked(folder: Path) -> None:
    """What lies deeper is told of."""
    found = finder("photos", recursive=False)
    assert list(found.files()) == ["photos/a.JPG", "photos/b.png"]
    assert found.passed_by == 1


def test_current_folder_has_no_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that files in it are the same whether they are named or found."""
    monkeypatch.chdir(folder / "c")
    assert list(finder(".", "./d.png").files()) == ["d.png", "e/f.png", "d.png"]


def test_named_files_are_taken_whatever_they_are_called(folder: Path) -> None:
    """Also those that are not there: whoever reads them will tell."""
    named = ["photos/notes.txt", "nowhere.png"]
    assert list(finder(*named).files()) == named


def test_patterns_are_what_a_shell_makes_of_them(folder: Path) -> None:
    """Files whose name has such characters are those files; a pattern of nothing is itself."""
    (folder / "[x].png").touch()
    assert list(finder("photos/**/*.png").files()) == [
        "photos/[x].png",
        "photos/b.png",
        "photos/c/d.png",
        "photos/c/e/f.png",
    ]
    assert list(finder("photos/[x].png", "*.gif").files()) == ["photos/[x].png", "*.gif"]


def test_no_link_leads_in_a_circle(folder: Path) -> None:
    """Links to files are followed, links to folders are told of; one to nowhere is tried."""
    (folder / "c" / "up").symlink_to(folder)
    (folder / "c" / "z.png").symlink_to(folder / "b.png")
    (folder / "c" / "y.png").symlink_to(folder / "gone.png")
    (folder / "c" / "x.png").symlink_to(folder / "c" / "x.png")
    found = finder("photos/c")
    names = [path.removeprefix("photos/c/") for path in found.files()]
    assert names == ["d.png", "e/f.png", "x.png", "y.png", "z.png"]
    assert found.passed_by == 1


def test_folder_that_cannot_be_listed_is_yielded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading it tells why, and the rest is found all the same."""
    scandir = os.scandir

    def refusing(path: str) -> Any:
        if path.endswith("/e"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert list(finder("photos/c").files()) == ["photos/c/d.png", "photos/c/e"]
    with pytest.raises(IsADirectoryError):
        read_file("photos/c/e", 1)


def test_own_files_and_folders_are_no_inputs(folder: Path) -> None:
    """They are not even counted."""
    (folder / "results.csv").touch()
    found = finder("photos", own=(folder / "results.csv", folder / "c"))
    assert list(found.files()) == ["photos/a.JPG", "photos/b.png"]
    assert (found.skipped, found.passed_by) == (1, 0)


@pytest.mark.parametrize(("end", "null"), [(b"\n", False), (b"\r\n", False), (b"\0", True)])
def test_lists_name_files_and_folders(folder: Path, end: bytes, null: bool) -> None:
    """A path a line, in any bytes; the last one needs no end, and empty lines are nothing."""
    listing = folder / "list"
    odd = b"caf\xe9\n.png" if null else b"caf\xe9.png"
    listing.write_bytes(end.join([b"photos/c", odd, b"", b"last.png"]))
    found = list(finder(listing=str(listing), null=null).files())
    assert found == ["photos/c/d.png", "photos/c/e/f.png", os.fsdecode(odd), "last.png"]


@pytest.mark.parametrize(
    ("end", "null", "expected"),
    [(b"\n", False, ["a.png", "b.png"]), (b"\0", True, ["\ufeffa.png\r", "b.png\r"])],
)
def test_marks_of_windows_are_no_part_of_a_path(
    folder: Path, end: bytes, null: bool, expected: list[str]
) -> None:
    """Of text, what its editors put in front and at line ends; with NUL, names are bytes."""
    listing = folder / "list"
    listing.write_bytes(end.join([b"\xef\xbb\xbfa.png\r", b"b.png\r"]))
    assert list(finder(listing=str(listing), null=null).files()) == expected


def test_long_lists_come_whole(folder: Path) -> None:
    """However the blocks fall in which they are read."""
    names = [f"{number}.png" for number in range(30_000)]
    (folder / "list").write_text("\n".join(names))
    assert list(finder(listing=str(folder / "list")).files()) == names


def test_list_that_is_none_is_refused(folder: Path) -> None:
    """A path is never so long; memory must not fill with what has no lines."""
    (folder / "list").write_bytes(b"x" * 200_000)
    with pytest.raises(SetupError, match="Entry 1 of the list is too long"):
        list(finder(listing=str(folder / "list")).files())


def test_names_that_are_no_text_are_found(tmp_path: Path) -> None:
    """As the bytes that they are."""
    (tmp_path / os.fsdecode(b"\xff\n.png")).touch()
    (found,) = finder(str(tmp_path)).files()
    assert os.fsencode(found).endswith(b"/\xff\n.png")


def test_reading_waits_for_nothing_and_takes_no_more_than_allowed(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device without end and a large file are errors at once."""
    pipe, large = tmp_path / "pipe", tmp_path / "large"
    os.mkfifo(pipe)
    large.write_bytes(bytes(1001))
    with pytest.raises(OSError, match="no file but a pipe"):
        read_file(str(pipe), 1000)
    with pytest.raises(OSError, match="no file but a pipe"):
        read_file("/dev/zero", 1000)
    with pytest.raises(TooLarge, match=r"1,001 bytes or more; at most 1,000"):
        read_file(str(large), 1000)
    assert read_file(str(large), 1001) == bytes(1001)


def test_file_that_says_nothing_of_its_size_is_read_to_its_end() -> None:
    """Or to the limit."""
    content = Path("/proc/self/status").read_bytes()
    assert read_file("/proc/self/status", 10**6)[:20] == content[:20]
    with pytest.raises(TooLarge):
        read_file("/proc/self/status", 100)


def test_paths_are_new_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when thousands came in between and were laid away."""
    monkeypatch.setattr("service.sweep.seen._NEWEST", 100)
    seen = Seen()
    paths = [f"{number}.png" for number in range(5000)]
    assert all(map(seen.add, paths))
    assert not any(map(seen.add, paths))
    assert len(seen) == 5000
    assert seen.add("another.png")
