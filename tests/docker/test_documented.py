"""The commands of the documents that Docker would have to run, as far as they go without it."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from service.api.health import router as health
from service.settings import ENV_PREFIX, Settings
from tests.docker.programs import ROOT, own, run
from tests.docker.test_compose import bare

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = sorted(
    {
        found
        for file in DOCUMENTS
        for found in re.findall(
            r"^[A-Z_=\d./\w-]* ?docker compose .+$|`docker compose [^`]+`",
            file.read_text(),
            re.MULTILINE,
        )
    }
)
VERBS = ("up", "down", "build", "ps", "logs", "restart")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands find: the deployment, models, and what the lines before them made."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("docker", "models"):
        shutil.copytree(ROOT / name, folder / name)
    assert run("docker/make_keys.sh", cwd=folder).returncode == 0
    shutil.copy(folder / "docker/.env.example", folder / "docker/my.env")
    return folder


@pytest.mark.parametrize("command", [command.strip("`") for command in COMMANDS])
def test_compose_takes_the_command(clone: Path, command: str) -> None:
    """The files are there and fit together, and what is to be done has these options."""
    variables, _, words = command.partition("docker compose ")
    named, verb, options = re.fullmatch(rf"(.*?) ({'|'.join(VERBS)})\b(.*)", words).groups()  # type: ignore[union-attr]
    more = dict(pair.split("=") for pair in variables.split())
    env = bare() | more | {"CONVSCOPE_MODELS": "../models"}
    files = named.split()
    done = run(own("docker-compose"), *files, "config", "--quiet", cwd=clone, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    done = run(own("docker-compose"), *files, verb, *options.split(), "--help", cwd=clone, env=env)
    assert done.returncode == 0, done.stderr


def test_settings_of_ones_own_are_taken(clone: Path) -> None:
    """The copied example changes nothing until a line of it is changed."""
    words = (own("docker-compose"), "-f", "docker/compose.yaml")
    env_file = ("--env-file", "docker/my.env")
    before = run(*words, "config", cwd=clone, env=bare()).stdout
    assert run(*words, *env_file, "config", cwd=clone, env=bare()).stdout == before
    file = clone / "docker/my.env"
    file.write_text(file.read_text().replace("#CONVSCOPE_MEMORY=8g", "CONVSCOPE_MEMORY=1g"))
    after = run(*words, *env_file, "config", cwd=clone, env=bare()).stdout
    assert after != before
    assert 'memory: "1073741824"' in after


def test_pod_of_the_documents_asks_for_what_there_is() -> None:
    """Probes go to routes, variables are settings, and the pod is given the time to drain."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL)
    pod = yaml.safe_load(text)
    (container,) = pod["containers"]
    port = container["ports"][0]["containerPort"]
    assert f"CONVSCOPE_PORT={port}" in (ROOT / "Dockerfile").read_text()
    routes = {route.path for route in health.routes}  # type: ignore[attr-defined]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert (asked["path"] in routes, asked["port"]) == (True, port)
    given = {
        each["name"].removeprefix(ENV_PREFIX).lower(): each["value"] for each in container["env"]
    }
    drains = Settings(**given).shutdown_delay_s + Settings().shutdown_grace_s  # type: ignore[arg-type]
    assert pod["terminationGracePeriodSeconds"] > drains
