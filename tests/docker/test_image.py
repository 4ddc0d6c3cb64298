import re

import pytest

from tests.docker.programs import ROOT, own, run

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_dockerfile_is_clean() -> None:
    """hadolint, which knows the usual mistakes, has nothing to say."""
    done = run(own("hadolint"), "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("bad", ["RUN sudo true\n", "FROM debian\nRUN cd /x\n"])
def test_mistake_in_a_dockerfile_is_found(tmp_path, bad: str) -> None:  # type: ignore[no-untyped-def]
    """The linter that the other test rests on refuses what it should."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE + bad)
    assert run(own("hadolint"), str(tmp_path / "Dockerfile")).returncode != 0


def test_image_goes_to_a_user_without_rights_before_it_starts() -> None:
    """The user is a number, which orchestrators can see is not root's."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    user = re.search(r"^USER (\d+)$", last, re.MULTILINE)
    assert user
    assert int(user[1]) > 0
    assert last.index("USER") < last.index("ENTRYPOINT")


def test_only_what_the_image_needs_is_sent_to_the_builder() -> None:
    """Keys and settings of one's own below docker/ never come near an image."""
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"]
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
    assert {name for names in copied for name in names.split()} == set(sent)


@pytest.mark.parametrize("script", ["docker/smoke.sh", "docker/make_keys.sh"])
def test_scripts_can_be_read_by_bash(script: str) -> None:
    """No mistake of syntax waits for the machine that has Docker."""
    done = run("bash", "-n", script)
    assert (done.returncode, done.stderr) == (0, "")
