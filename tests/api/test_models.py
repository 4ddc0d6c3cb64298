from pathlib import Path

from service.settings import Settings
from tests.api.client import Client
from tests.tiny_models import LABELS, write_model


def test_all_models_are_listed_with_their_state(client: Client) -> None:
    """Ready and refused versions stand side by side, each with what there is to say."""
    bad, colors = client.get("/v1/models").json()["models"]
    assert (bad["name"], bad["served_version"]) == ("bad", None)
    assert bad["versions"] == [
        {"version": 1, "state": "refused", "file": "bad/1/CARD.md", "reason": "is missing"}
    ]
    assert (colors["name"], colors["served_version"]) == ("colors", 2)
    assert [version["state"] for version in colors["versions"]] == ["ready", "ready"]


def test_model_tells_all_that_a_client_needs(client: Client, repository: Path) -> None:
    """Labels, input, preprocessing and where it really runs can be read from the server."""
    version = client.get("/v1/models/colors").json()["versions"][1]
    assert version["labels"] == list(LABELS)
    assert version["input"] == {"name": "images", "dtype": "uint8", "shape": [None, 8, 8, 3]}
    assert version["preprocessing"]["resize"] == "squash"
    assert version["execution_provider"] == "CPUExecutionProvider"
    assert 0 <= version["golden_difference"] < 1e-5
    assert version["taps"] == 2
    # one thread a run, or a session for each of two numbers of threads
    graph = repository / "colors" / "2" / "model.onnx"
    assert version["memory_bytes"] in {graph.stat().st_size, 2 * graph.stat().st_size}


def test_process_is_live_even_if_a_model_is_not(client: Client) -> None:
    """livez asks for nothing but an answer."""
    assert client.get("/livez").json() == {"live": True}


def test_refused_model_makes_the_server_unready_and_is_named(client: Client) -> None:
    """readyz says which model is not ready, and why."""
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "bad/1/CARD.md: is missing" in answer.json()["detail"]
    states = {(m["name"], m["version"]): m["state"] for m in answer.json()["models"]}
    assert states == {("bad", 1): "refused", ("colors", 1): "ready", ("colors", 2): "ready"}


def test_server_is_ready_when_all_models_are(tmp_path: Path) -> None:
    """With nothing refused, readyz is 200 and says what runs where."""
    write_model(tmp_path)
    with Client(Settings(models_dir=tmp_path, device="cpu", threads=1)) as client:
        answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "models": [
            {
                "name": "colors",
                "version": 1,
                "state": "ready",
                "execution_provider": "CPUExecutionProvider",
            }
        ],
    }


def test_index_links_to_what_is_there(client: Client) -> None:
    """Every link of the index leads somewhere."""
    index = client.get("/").json()
    assert index["name"] == "convscope"
    for link in index["links"].values():
        assert client.get(link).status_code in {200, 405, 503}


def test_openapi_covers_every_route(client: Client) -> None:
    """The description names all routes, and every reference in it leads somewhere."""
    document = client.get("/openapi.json")
    paths = document.json()["paths"]
    assert set(paths) == {
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models",
        "/v2/models/stats",
        "/v2/models/{name}",
        "/v2/models/{name}/ready",
        "/v2/models/{name}/config",
        "/v2/models/{name}/stats",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}",
        "/v2/models/{name}/versions/{version}/ready",
        "/v2/models/{name}/versions/{version}/config",
        "/v2/models/{name}/versions/{version}/stats",
        "/v2/models/{name}/versions/{version}/infer",
        "/v2/repository/index",
        "/v2/repository/models/{name}/load",
        "/v2/repository/models/{name}/unload",
        "/v1/models",
        "/v1/models/{name}",
        "/v1/models/{name}/classify",
        "/v1/classify",
        "/v1/models/{name}/segment",
        "/v1/segment",
        "/v1/models/{name}/measure",
        "/v1/models/{name}/layers",
        "/v1/models/{name}/feature-maps",
        "/v1/models/{name}/kernels",
        "/v1/models/{name}/embed",
        "/v1/models/{name}/explain",
        "/v1/models/{name}/stability",
        "/v1/compare",
        "/v1/models/{name}/load",
        "/v1/models/{name}/unload",
        "/v1/models:rescan",
        "/hf/{name}",
        "/hf/{name}/health",
        "/hf/{name}/info",
    }
    components = document.json()["components"]
    references = {piece.split('"')[0] for piece in document.text.split('"#/')[1:]}
    assert references <= {
        f"components/{kind}/{name}" for kind, named in components.items() for name in named
    }


def test_documentation_that_needs_a_cdn_is_off(client: Client) -> None:
    """A page that would stay blank without internet is not there; ours names no other host."""
    assert client.get("/redoc").status_code == 404
    assert "//" not in client.get("/docs").text
