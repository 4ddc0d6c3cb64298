import json
from pathlib import Path
from typing import Any

import pytest

from service.contract.errors import SetupError
from service.sweep.journal import CannotGoOn, Journal, Places
from service.sweep.record import path_of, record_line

ASKED: dict[str, Any] = {"model": "colors", "top_k": 5}
GOOD, BAD = record_line("a.png", {"answer": 1}), record_line("b.png", {"error": {}})


@pytest.fixture(params=[".jsonl", ".csv", ".parquet"])
def places(tmp_path: Path, request: pytest.FixtureRequest) -> Places:
    return Places(tmp_path / f"results{request.param}")


def open_journal(places: Places, restart: bool = False, **changed: Any) -> Journal:
    return Journal(places, ASKED | changed, restart)


def test_next_process_knows_what_is_done(places: Places) -> None:
    """What has a record, and how many records tell of errors."""
    with open_journal(places) as journal:
        journal.write([GOOD, BAD])
    with open_journal(places) as journal:
        assert (len(journal.seen), journal.failed, journal.finished) == (2, 1, None)
        assert not journal.seen.add("a.png")
        assert journal.seen.add("c.png")
        journal.write([record_line("c.png", {})])
        assert [record["path"] for record in journal.records()] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("left", range(1, len(BAD)))
def test_half_a_record_is_cut_off(tmp_path: Path, left: int) -> None:
    """Wherever the process died in the midst of writing it; its file is done again."""
    places = Places(tmp_path / "results.jsonl")
    with open_journal(places) as journal:
        journal.write([GOOD])
    with places.records.open("ab") as file:
        file.write(BAD[:left])
    with open_journal(places) as journal:
        assert len(journal.seen) == 1
        journal.write([BAD])
    assert places.records.read_bytes() == GOOD + BAD


def test_run_that_died_while_it_was_noted_down_begins(places: Places) -> None:
    """Its first line is not there in whole: then there are no records either."""
    with open_journal(places):
        whole = places.run.read_bytes()
    places.records.unlink()
    for left in (0, 1, len(whole) - 1):
        places.run.write_bytes(whole[:left])
        with open_journal(places) as journal:
            assert len(journal.seen) == 0
        places.records.unlink()
    assert places.run.read_bytes() == whole


def test_other_question_is_refused(places: Places) -> None:
    """With what is different; --restart begins anew and forgets all records."""
    with open_journal(places) as journal:
        journal.write([GOOD])
    with pytest.raises(CannotGoOn, match="top_k was 5 and is 3"):
        open_journal(places, top_k=3)
    with open_journal(places, restart=True, top_k=3) as journal:
        assert (len(journal.seen), list(journal.records())) == (0, [])
    with open_journal(places, top_k=3):
        pass


def test_second_process_is_refused(places: Places) -> None:
    """As long as the first is at work, even if it would begin anew; and it does no harm."""
    with open_journal(places) as journal:
        journal.write([GOOD])
        for restart in (False, True):
            with pytest.raises(CannotGoOn, match="Another process is at work on"):
                open_journal(places, restart)
        journal.write([BAD])
    with open_journal(places) as journal:
        assert len(journal.seen) == 2


def test_file_of_somebody_else_is_not_touched(places: Places) -> None:
    """Unless that is said; nothing is left beside it."""
    places.out.write_text("my own work\n")
    with pytest.raises(CannotGoOn, match="no run of this command left it"):
        open_journal(places)
    assert [file.name for file in places.out.parent.iterdir()] == [places.out.name]
    assert places.out.read_text() == "my own work\n"
    with open_journal(places, restart=True) as journal:
        journal.write([GOOD])


def test_records_without_their_run_are_not_gone_on_with(places: Places) -> None:
    """Nobody knows what they were asked with: added to, they would have every file twice."""
    with open_journal(places) as journal:
        journal.write([GOOD])
    places.run.unlink()
    with pytest.raises(CannotGoOn, match=f"{places.records.name} is there already"):
        open_journal(places)
    assert places.records.read_bytes() == GOOD
    assert not places.run.exists()
    with open_journal(places, restart=True) as journal:
        assert list(journal.records()) == []


def test_only_tables_have_drafts(tmp_path: Path) -> None:
    """A file of that name beside JSON lines is somebody's own, and never takes their place."""
    places = Places(tmp_path / "results.jsonl")
    places.draft.write_text("my own work")
    with open_journal(places) as journal:
        journal.write([GOOD])
        journal.finish({"files": 1})
    with open_journal(places) as journal:
        assert journal.finished
    assert places.out.read_bytes() == GOOD
    assert places.draft.read_text() == "my own work"


@pytest.mark.parametrize("content", ["[1]\n", "no JSON\n", '"text"\n'])
def test_run_file_of_somebody_else_is_not_touched(places: Places, content: str) -> None:
    """It may be anything."""
    places.run.write_text(content)
    with pytest.raises(CannotGoOn, match="no run of this command left it"):
        open_journal(places)
    assert places.run.read_text() == content


def test_record_that_is_none_is_told(places: Places) -> None:
    """Cutting it off would lose what comes behind it."""
    with open_journal(places) as journal:
        journal.write([GOOD, b"{}\n", BAD])
    with pytest.raises(CannotGoOn, match=r"Line 2 of \S+ is no record of this run"):
        open_journal(places)


def test_finished_run_stays_finished(places: Places) -> None:
    """Until its results are gone; nothing else than they and the run's file are left."""
    with open_journal(places) as journal:
        journal.write([GOOD])
        if places.records != places.out:
            places.draft.write_text("a table")
        journal.finish({"files": 1})
    assert {file.name for file in places.out.parent.iterdir()} == {places.out.name, places.run.name}
    with open_journal(places) as journal:
        assert journal.finished == {"files": 1}
    places.out.unlink()
    with open_journal(places) as journal:
        assert journal.finished is None
        assert len(journal.seen) == 0


def test_run_that_died_while_it_was_finished_is_finished_again(tmp_path: Path) -> None:
    """The table is there, but half of the line that says so: all records are known still."""
    places = Places(tmp_path / "results.csv")
    with open_journal(places) as journal:
        journal.write([GOOD, BAD])
    places.out.write_text("a table")
    with places.run.open("ab") as file:
        file.write(b'{"finished": {"fi')
    with open_journal(places) as journal:
        assert (len(journal.seen), journal.finished) == (2, None)
        places.draft.write_text("the table")
        journal.finish({"files": 2})
    assert places.out.read_text() == "the table"
    assert [list(json.loads(line)) for line in places.run.read_text().splitlines()] == [
        ["asked"],
        ["finished"],
    ]


@pytest.mark.parametrize("name", ["results", "results.json", "results.csv.gz", "results.xlsx"])
def test_other_forms_are_refused(tmp_path: Path, name: str) -> None:
    """Before anything is written."""
    with pytest.raises(SetupError, match=r"\.jsonl, \.csv, \.parquet only"):
        Places(tmp_path / name)


def test_any_name_comes_back_from_its_record() -> None:
    """Text as it is; bytes that are none as they are, beside what can be shown of them."""
    for path in ("a b.png", "caf\udce9.png", 'quo"te\n.png', "日本.png"):
        assert path_of(json.loads(record_line(path, {}))) == path
    shown = json.loads(record_line("caf\udce9.png", {}))
    assert shown == {"path": "caf\\xe9.png", "path_base64": "Y2Fm6S5wbmc="}
