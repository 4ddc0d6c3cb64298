import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import ENV_PREFIX, Settings
from tests.docker.programs import DOCKER, ROOT, own, run

COMPOSE, KEYS = "docker/compose.yaml", "docker/compose.keys.yaml"
# Chosen by the image, by the profile or by compose.keys.yaml, or in need of an extra or a mount.
ELSEWHERE = {
    *("host", "port", "models_dir", "device", "gpu"),
    *("api_keys_file", "api_keys", "admin_keys_file", "admin_keys"),
    *("tracing", "custom_ops", "tensorrt_cache"),
}
SERVICES = ("convscope", "convscope-gpu", "prometheus", "grafana")


def bare() -> dict[str, str]:
    """This environment without what would change the outcome."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMPOSE_", "CONVSCOPE_", "GRAFANA_", "PROMETHEUS_"))
    }


def compose(*words: str, **more: str) -> Any:
    return run(own("docker-compose"), *words, env=bare() | more)


@cache
def resolved(*files: str, **more: str) -> dict[str, Any]:
    """The deployment as compose understands it, both profiles at once."""
    named = [word for file in files for word in ("-f", file)]
    done = compose(*named, "--profile", "*", "config", "--format", "json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def services(*words: str, **more: str) -> set[str]:
    done = compose("-f", COMPOSE, *words, "config", "--services", **more)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_plain_up_starts_the_service_on_the_cpu_and_who_watches_it() -> None:
    """The README's command needs neither a profile nor a file that is not there."""
    assert services() == {"convscope", "prometheus", "grafana"}


def test_profile_puts_the_service_on_the_gpu_instead() -> None:
    """By flag or by variable; never both services, which would want one port."""
    on_gpu = {"convscope-gpu", "prometheus", "grafana"}
    assert services("--profile", "gpu") == on_gpu
    assert services(COMPOSE_PROFILES="gpu") == on_gpu
    assert services("--env-file", "docker/.env.example") == services()


def test_gpu_is_handed_over_and_never_given_up_silently() -> None:
    """The CUDA variant is built, and without a working GPU it does not start."""
    gpu = resolved(COMPOSE)["services"]["convscope-gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
    assert gpu["build"]["args"] == {"EXTRAS": "[cuda]"}
    assert "ARG EXTRAS" in (ROOT / "Dockerfile").read_text()
    assert gpu["environment"]["CONVSCOPE_DEVICE"] == "cuda"
    assert resolved(COMPOSE)["services"]["convscope"]["environment"]["CONVSCOPE_DEVICE"] == "cpu"


def test_second_gpu_is_the_only_one_that_the_container_sees() -> None:
    """Its number is the machine's: inside it would be number 0, and no setting may say 1."""
    gpu = resolved(COMPOSE, CONVSCOPE_GPU="1")["services"]["convscope-gpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == ["1"]
    assert "count" not in device
    assert "CONVSCOPE_GPU" not in gpu["environment"]


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("files", [(COMPOSE,), (COMPOSE, KEYS)])
def test_every_container_is_confined(files: tuple[str, ...], name: str) -> None:
    """No rights, no writing but where data goes, an end to what it takes, and a look at it."""
    service = resolved(*files)["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"]) > 0
    assert service["restart"] == "unless-stopped"
    limits = service["deploy"]["resources"]["limits"]
    assert int(limits["memory"]) > 0
    assert limits["pids"] > 0
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["healthcheck"]["test"][0] == "CMD"
    assert "privileged" not in service
    assert "cap_add" not in service
    writable = [mount for mount in service["volumes"] if not mount.get("read_only")]
    assert all(mount["type"] == "volume" for mount in writable)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_or_built_here(name: str) -> None:
    """What ran yesterday is what runs today."""
    service = resolved(COMPOSE)["services"][name]
    tag = service["image"].rpartition(":")[2]
    assert "build" in service or re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_only_service_and_grafana_are_published_and_only_here() -> None:
    """Prometheus is on a network that leads nowhere."""
    found = resolved(COMPOSE)
    published = {
        name: {port["host_ip"] for port in service.get("ports", [])}
        for name, service in found["services"].items()
    }
    here = {"127.0.0.1"}
    assert published == {
        **dict.fromkeys(("convscope", "convscope-gpu", "grafana"), here),
        "prometheus": set(),
    }
    assert list(found["services"]["prometheus"]["networks"]) == ["inside"]
    assert found["networks"]["inside"]["internal"] is True


def test_container_may_take_as_long_as_the_service_drains() -> None:
    """Docker kills after its own time, whatever is still being answered."""
    fields = Settings.model_fields
    drains = fields["shutdown_delay_s"].default + fields["shutdown_grace_s"].default
    for name in SERVICES[:2]:
        grace = resolved(COMPOSE)["services"][name]["stop_grace_period"]
        assert int(grace.removesuffix("s")) > drains


def test_prometheus_asks_whichever_service_runs() -> None:
    """The name in its configuration is one that both have, on the port of the image."""
    read = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())
    (job,) = read["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    for service in SERVICES[:2]:
        found = resolved(COMPOSE)["services"][service]
        assert name in {service, *found["networks"]["inside"].get("aliases", [])}
        assert str(found["ports"][0]["target"]) == port
    assert f"CONVSCOPE_PORT={port}" in (ROOT / "Dockerfile").read_text()


def test_own_models_are_mounted_and_a_mistyped_folder_is_not_made_up(tmp_path: Path) -> None:
    """Docker would make an empty folder, owned by root, of whatever is not there."""
    found = resolved(COMPOSE, CONVSCOPE_MODELS=str(tmp_path))
    for name in SERVICES[:2]:
        (mount,) = found["services"][name]["volumes"]
        assert (mount["source"], mount["target"]) == (str(tmp_path), "/models")
        assert mount["bind"]["create_host_path"] is False


def test_setting_from_outside_reaches_the_service_and_others_are_left_alone() -> None:
    """Only what is set is handed on, so that defaults stay the service's own."""
    environment = resolved(COMPOSE, CONVSCOPE_WATCH_S="5")["services"]["convscope"]["environment"]
    assert environment.pop("CONVSCOPE_WATCH_S") == "5"
    assert environment.pop("CONVSCOPE_DEVICE") == "cpu"
    assert set(environment.values()) == {None}


def test_every_setting_can_be_set() -> None:
    """None is forgotten, and none is invented."""
    settings = yaml.safe_load((DOCKER / "compose.yaml").read_text())["x-settings"]
    names = {name.removeprefix(ENV_PREFIX).lower() for name in settings}
    assert names == Settings.model_fields.keys() - ELSEWHERE


def documented() -> dict[str, str]:
    """Names and values in .env.example, also of what is commented out."""
    text = (DOCKER / ".env.example").read_text()
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


def test_example_has_every_variable_with_its_default_and_no_other() -> None:
    """As compose itself lists them, and as the service has them."""
    done = compose("-f", COMPOSE, "-f", KEYS, "config", "--variables")
    listed = (line.split() for line in done.stdout.splitlines()[1:])
    expected = {"COMPOSE_PROFILES": "cpu"} | {words[0]: words[2] for words in listed}
    for name in yaml.safe_load((DOCKER / "compose.yaml").read_text())["x-settings"]:
        default = Settings.model_fields[name.removeprefix(ENV_PREFIX).lower()].default
        expected[name] = "" if default is None else str(default)
    assert documented() == expected
    assert (DOCKER / ".env").read_text().splitlines()[-1] == "COMPOSE_PROFILES=cpu"


def test_keys_are_files_that_only_those_get_who_need_them() -> None:
    """Grafana has its password, Prometheus its key, the service the keys that open it."""
    found = resolved(COMPOSE, KEYS)["services"]
    secrets = {
        name: {secret["source"] for secret in service.get("secrets", [])}
        for name, service in found.items()
    }
    assert secrets == {
        **{name: {"api_keys", "admin_keys"} for name in SERVICES[:2]},
        "prometheus": {"metrics_key"},
        "grafana": {"grafana_password"},
    }
    for name in SERVICES[:2]:
        environment = found[name]["environment"]
        assert environment["CONVSCOPE_API_KEYS_FILE"] == "/run/secrets/api_keys"
        assert environment["CONVSCOPE_ADMIN_KEYS_FILE"] == "/run/secrets/admin_keys"
    assert found["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "false"


@pytest.mark.parametrize("name", ["compose.yaml", "compose.keys.yaml"])
def test_files_keep_the_compose_specification(name: str) -> None:
    """Held against its own schema too, which knows more than this version of compose."""
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = run(own("check-jsonschema"), *schema, f"docker/{name}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("read_only: true", "read_onyl: true"),
        ("networks: [inside]", "networks: [insdie]"),
        ("memory: 1g", "memory: lots"),
        ("grafana-data:/var", "grafana-dta:/var"),
    ],
)
def test_broken_file_is_found(tmp_path: Path, good: str, bad: str) -> None:
    """The check that all of this rests on refuses what Docker would."""
    text = (DOCKER / "compose.yaml").read_text()
    assert good in text
    (tmp_path / "compose.yaml").write_text(text.replace(good, bad, 1))
    done = compose("-f", str(tmp_path / "compose.yaml"), "--profile", "*", "config", "-q")
    assert done.returncode != 0
