"""Whatever can be set or asked stands in some page; tests/docker has what can be watched."""

import re
import subprocess

import click
import pytest

from service.api.description.document import describe
from service.cli import main
from service.main import create_app
from service.settings import ENV_PREFIX, Settings, is_secret
from tests.docs.pages import PAGES, ROOT

# What Compose takes is told in a file that is there to be copied.
TOLD = [*PAGES, *(ROOT / "docker").glob(".env*")]
TEXT = "\n".join(file.read_text() for file in TOLD)
# Internal ways to say what a user never has to.
UNTOLD_OPTIONS = {"--help", "--version"}


assert isinstance(main, click.Group)
COMMANDS = main.list_commands(click.Context(main))


def stands(word: str) -> bool:
    """Return whether the word stands in some page, and not only as a part of a longer one."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", TEXT) is not None


def test_every_setting_is_documented() -> None:
    """Each setting has its variable in some page, and its flag unless it is a secret."""
    for name in Settings.model_fields:
        assert stands(f"{ENV_PREFIX}{name.upper()}"), name
        assert is_secret(name) or stands(f"--{name.replace('_', '-')}"), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """Each command, and each of its options, stands in some page."""
    assert isinstance(main, click.Group)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    options = {option for parameter in command.params for option in parameter.opts}
    missing = [
        option
        for option in sorted(options)
        if option.startswith("--") and option not in UNTOLD_OPTIONS and not stands(option)
    ]

    assert stands(f"convscope {name}"), name
    assert not missing, f"convscope {name}: no page tells of {', '.join(missing)}"


def test_every_environment_variable_is_documented() -> None:
    """What the program, the image and the compose file read begins alike, and stands in a page."""
    tracked = subprocess.run(
        ["git", "ls-files", "service", "training", "docker", "Dockerfile"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    read = {
        name
        for path in tracked
        if (ROOT / path).suffix in ("", ".py", ".yaml", ".yml", ".sh", ".example")
        for name in re.findall(r"\bCONVSCOPE_[A-Z_]*[A-Z]\b", (ROOT / path).read_text())
    }

    missing = sorted(name for name in read if not stands(name))
    assert {"CONVSCOPE_API_KEY", "CONVSCOPE_MODELS_DIR"} <= read
    assert not missing, f"no page tells of {missing}"


def test_every_route_is_documented() -> None:
    """Each path stands in some page, as a pattern or filled in; one with a version counts too."""
    described = describe(create_app(Settings()))["paths"]
    paths = {path.replace("/versions/{version}", "") for path in described}
    missing = []
    for path in sorted(paths | {"/docs", "/openapi.json"}):
        pattern = re.escape(re.sub(r"\{[^}]*\}", "\0", path)).replace("\0", r"[^/\s`'\"?]+")
        if not re.search(rf"{pattern}(?![\w/-])", TEXT):
            missing.append(path)
    assert len(paths) > 20
    assert not missing, f"no page tells of {missing}"
