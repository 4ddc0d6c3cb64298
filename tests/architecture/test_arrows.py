"""Which part may import which, held against the source."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What each part may import of ours besides itself. A module takes the longest name that fits.
ALLOWED: dict[str, set[str]] = {
    "service.contract": set(),
    "service.cgroups": set(),
    "service.cpus": {"service.cgroups"},
    "service.room": {"service.cgroups"},
    "service.device": set(),
    "service.memory": set(),
    "service.version": set(),
    "service.traceparent": set(),
    "service.logs": {"service.traceparent"},
    "service.runners": set(),
    "service.ticket": {"service.contract"},
    "service.batching": {"service.contract", "service.runners", "service.ticket"},
    "service.graph": {"service.contract"},
    "service.codecs": {"service.contract"},
    "service.tasks": {
        "service.batching",
        "service.codecs",
        "service.contract",
        "service.graph",
    },
    "service.runtime": {"service.contract", "service.cpus", "service.device"},
    "service.loader": {
        "service.contract",
        "service.device",
        "service.graph",
        "service.runtime",
    },
    "service.adopt": {
        "service.contract",
        "service.device",
        "service.graph",
        "service.runtime",
        "service.version",
    },
    "service.places": {"service.contract"},
    "service.policy": {"service.contract"},
    "service.holding": {
        "service.contract",
        "service.places",
        "service.policy",
        "service.tasks",
    },
    "service.snapshot": {"service.holding", "service.policy", "service.tasks"},
    "service.live": {
        "service.contract",
        "service.holding",
        "service.places",
        "service.policy",
        "service.snapshot",
        "service.tasks",
    },
    "service.watch": {"service.contract", "service.live"},
    "service.repository": {
        "service.contract",
        "service.cpus",
        "service.device",
        "service.loader",
        "service.places",
        "service.runtime",
    },
    "service.settings": {"service.device", "service.logs", "service.policy"},
    "service.api": {
        "service.batching",
        "service.codecs",
        "service.contract",
        "service.live",
        "service.logs",
        "service.runners",
        "service.tasks",
        "service.ticket",
        "service.version",
    },
    "service.tracing": {"service.api", "service.contract", "service.version"},
    "service.wiring": {
        "service.batching",
        "service.codecs",
        "service.contract",
        "service.cpus",
        "service.device",
        "service.graph",
        "service.live",
        "service.loader",
        "service.memory",
        "service.places",
        "service.policy",
        "service.runners",
        "service.runtime",
        "service.settings",
        "service.tasks",
    },
    "service.main": {
        "service.api",
        "service.room",
        "service.runners",
        "service.runtime",
        "service.settings",
        "service.tracing",
        "service.version",
        "service.watch",
        "service.wiring",
    },
    "service.commands": {
        "service.adopt",
        "service.api",
        "service.codecs",
        "service.contract",
        "service.cpus",
        "service.device",
        "service.load",
        "service.loader",
        "service.logs",
        "service.main",
        "service.memory",
        "service.repository",
        "service.runners",
        "service.settings",
        "service.sweep",
        "service.tasks",
        "service.version",
        "service.wiring",
    },
    "service.sweep": {"service.contract"},
    "service.load": set(),
    "service.client": set(),
    "service.cli": {"service.version"},
    "service.__main__": {"service.cli"},
    # docs/adr/0001 says why the last three are among these.
    "training": {
        "service.contract",
        "service.codecs",
        "service.device",
        "service.graph",
        "service.runtime",
    },
}
# Libraries that only these parts may import.
RESERVED: dict[str, set[str]] = {
    "onnxruntime": {"service.runtime"},
    "onnx": {"service.adopt", "service.graph", "service.tasks", "service.runtime", "training"},
    "PIL": {"service.codecs", "service.contract", "service.load", "service.tasks", "training"},
    "httptools": {"service.commands", "service.load"},
    "httpx": {"service.client"},
    "fastapi": {"service.api", "service.main", "service.commands", "service.tracing"},
    "starlette": {"service.api", "service.main", "service.tracing"},
    "opentelemetry": {"service.tracing"},
    "prometheus_client": {"service.api"},
    "uvicorn": {"service.commands"},
    "pyarrow": {"service.sweep"},
    "pydantic_settings": {"service.settings"},
    "torch": {"training"},
    "lightning": {"training"},
    "torchmetrics": {"training"},
    "matplotlib": {"training"},
    "onnxscript": {"training"},
}
CONTRACT_MAY = {"numpy", "PIL", "pydantic"}
CLIENT_MAY = {"httpx", "numpy"}


def sources() -> list[Path]:
    return sorted([*ROOT.glob("service/**/*.py"), *ROOT.glob("training/**/*.py")])


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> Iterator[str]:
    """Yield every module that the file imports anywhere, inside functions too."""
    package = name_of(file).split(".")
    if file.stem != "__init__":
        package.pop()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def belongs(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def part_of(module: str) -> str | None:
    return max((part for part in ALLOWED if belongs(module, part)), key=len, default=None)


@pytest.mark.parametrize("file", sources(), ids=name_of)
def test_imports_follow_the_arrows(file: Path) -> None:
    """A file imports of ours only what its part may."""
    name = name_of(file)
    if name == "service":
        assert not file.read_text()
        return
    part = part_of(name)
    assert part, f"{name} has no place in the table of arrows"
    ours = {part_of(module) for module in imports(file)} - {None, part}
    assert ours <= ALLOWED[part]


@pytest.mark.parametrize("file", sources(), ids=name_of)
def test_libraries_stay_where_they_belong(file: Path) -> None:
    """onnxruntime has one importer, HTTP stays in its corner, torch in training."""
    name = name_of(file)
    for module in imports(file):
        for library, parts in RESERVED.items():
            if belongs(module, library):
                assert any(belongs(name, part) for part in parts), f"{name} imports {library}"


@pytest.mark.parametrize(
    ("part", "libraries"), [("contract", CONTRACT_MAY), ("client", CLIENT_MAY)]
)
def test_some_parts_need_little(part: str, libraries: set[str]) -> None:
    """The contract's only dependencies are NumPy, Pillow and Pydantic; the client has two."""
    found = {
        module.partition(".")[0]
        for file in ROOT.glob(f"service/{part}/*.py")
        for module in imports(file)
    }
    assert found - set(sys.stdlib_module_names) - {"service"} <= libraries


def test_modules_import_no_one_in_a_circle() -> None:
    """There is an order in which all modules can be read."""
    from graphlib import TopologicalSorter

    names = {name_of(file) for file in sources()}
    graph = {
        name_of(file): {
            module for module in imports(file) if module in names and module != name_of(file)
        }
        for file in sources()
    }
    assert set(TopologicalSorter(graph).static_order()) >= names
