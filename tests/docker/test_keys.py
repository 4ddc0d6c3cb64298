from pathlib import Path

from service.api.keys import KeyRing, read_keys
from tests.docker.programs import run


def make_keys(folder: Path) -> dict[str, str]:
    done = run("docker/make_keys.sh", str(folder))
    assert done.returncode == 0, done.stderr
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_service_takes_the_keys_and_prometheus_has_one_of_them(tmp_path: Path) -> None:
    """The key for scraping is an ordinary one; admin's is another."""
    made = make_keys(tmp_path / "secrets")
    ordinary = read_keys(tmp_path / "secrets" / "api_keys", None, "")
    admin = read_keys(tmp_path / "secrets" / "admin_keys", None, "")
    assert len({*ordinary, *admin, made["grafana_password"].strip()}) == 4
    sent = [(b"authorization", f"Bearer {made['metrics_key'].strip()}".encode())]
    assert KeyRing(ordinary, admin).opens(sent)


def test_folder_is_closed_and_its_files_can_be_read_from_inside(tmp_path: Path) -> None:
    """Who may not enter it cannot open them; a container that has one mounted can."""
    make_keys(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o644}


def test_new_key_of_prometheus_opens_the_service_beside_the_old_ones(tmp_path: Path) -> None:
    """To change it, delete it and run the script again; clients keep theirs."""
    before = make_keys(tmp_path)
    (tmp_path / "metrics_key").unlink()
    after = make_keys(tmp_path)
    assert after["metrics_key"] != before["metrics_key"]
    assert after["api_keys"].startswith(before["api_keys"])
    keys = read_keys(tmp_path / "api_keys", None, "")
    sent = [(b"authorization", f"Bearer {after['metrics_key'].strip()}".encode())]
    assert KeyRing(keys, keys).opens(sent)


def test_keys_that_are_there_stay(tmp_path: Path) -> None:
    """Run again, it changes nothing."""
    assert make_keys(tmp_path) == make_keys(tmp_path)
