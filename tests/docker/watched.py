"""A real server, and a real Prometheus that asks it as the deployment's would."""

import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.docker.programs import DOCKER

PATIENCE_S = 30


class Prometheus:
    """Asks a Prometheus through its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, text: str) -> list[dict[str, Any]]:
        """Return the samples that the query finds now; raises if it is not understood."""
        result: list[dict[str, Any]] = self._ask("query", query=text)["result"]
        return result

    def number(self, text: str) -> float | None:
        """Return the only number that the query finds, or None if it finds nothing."""
        found = self.query(text)
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> dict[str, dict[str, Any]]:
        """Return the state of every alert."""
        (group,) = self._ask("rules")["groups"]
        return {rule["name"]: rule for rule in group["rules"]}

    def target(self, port: int) -> dict[str, Any]:
        """Return what came of asking the server at that port."""
        targets = self._ask("targets")["activeTargets"]
        return {found["labels"]["instance"].rpartition(":")[2]: found for found in targets}[
            str(port)
        ]

    def _ask(self, what: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        return found["data"]


@contextmanager
def prometheus(program: str, folder: Path, ports: list[int], key: Path) -> Iterator[Prometheus]:
    """Run Prometheus in the folder with the deployment's configuration, but for where things are.

    ports: of the servers. key: the file with the key that it is asked with.
    """
    config = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())
    (job,) = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}" for port in ports]
    job["authorization"]["credentials_file"] = str(key)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DOCKER / "prometheus/alerts.yaml")]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    own_port = _free_port()
    words = [
        *(program, f"--config.file={folder}/prometheus.yaml"),
        *(f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{own_port}"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    try:
        found = Prometheus(f"http://127.0.0.1:{own_port}")
        wait_until(lambda: _has_asked(found, ports), (folder / "log").read_text)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until(true: Callable[[], bool], told: Callable[[], str] = str) -> None:
    """Wait until it is so; `told` says more where it never is."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, told()
        time.sleep(0.1)


def _has_asked(found: Prometheus, ports: list[int]) -> bool:
    try:
        return all(found.target(port)["health"] != "unknown" for port in ports)
    except (urllib.error.URLError, ConnectionError, KeyError):  # it is still starting
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def without_limit(text: str) -> str:
    """Return what an alert measures, without the limit above which it fires."""
    return re.sub(r"\s*(==|>)\s*[0-9.]+\s*$", "", text)
