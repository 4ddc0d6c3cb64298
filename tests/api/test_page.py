"""The page as files: who gets it, what browsers may keep, and what they are told to forbid."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from service.settings import Settings
from tests.api.client import Client
from tests.tiny_models import write_model

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ROOT = Path(__file__).parents[2]


def test_browsers_get_the_page_and_programs_the_index(client: Client) -> None:
    """What is at / depends on what is liked best."""
    page = client.get("/", headers=BROWSER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "accept"
    assert "<main" in page.text
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.9"):
        index = client.get("/", headers={"accept": accept})
        assert index.json()["name"] == "convscope"
        assert index.headers["vary"] == "accept"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_forbids_what_it_does_not_need(client: Client, path: str) -> None:
    """Nothing from elsewhere and nothing inline, in no frame, and no guessing of types."""
    headers = client.get(path, headers=BROWSER).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "script-src" not in policy  # so that scripts are 'self' too
    assert "unsafe-eval" not in policy
    assert ("unsafe-inline" in policy) == (path == "/docs")  # for styles, there
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_everything_that_the_page_names_is_there(client: Client, path: str) -> None:
    """Every file in the HTML, and every one that those import, is served with its type."""
    html = client.get(path, headers=BROWSER).text
    assert "page/_/" not in html
    wanted = set(re.findall(r'"(page/[^"]+)"', html))
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        seen.add(name)
        answer = client.get(f"/{name}")
        assert answer.status_code == 200, name
        assert "immutable" in answer.headers["cache-control"]
        if name.endswith(".js") and "/js/" in name:
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
            folder = name.rpartition("/")[0]
            found = re.findall(r'from "\./([^"]+)"', answer.text)
            wanted |= {f"{folder}/{file}" for file in found} - seen
    assert len(seen) >= 5


def test_browsers_need_not_fetch_twice(client: Client) -> None:
    """The page is asked for again but not sent again; its files are not even asked for."""
    for path, caching in {"/": "no-cache", "/page/js/main.js": "no-cache"}.items():
        first = client.get(path, headers=BROWSER)
        assert first.headers["cache-control"] == caching
        again = client.get(path, headers={**BROWSER, "if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        other = client.get(path, headers={**BROWSER, "if-none-match": '"another"'})
        assert other.content == first.content


def test_files_of_an_older_page_are_found(client: Client) -> None:
    """A page that was open while the server was replaced still gets files, but keeps none."""
    answer = client.get("/page/v-0123456789ab/js/main.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/page/", "/page/nothing.js", "/page/../main.py", "/page/%2e%2e/main.py", "/page/js"]
)
def test_only_the_page_is_served(client: Client, path: str) -> None:
    """What is not of the page is not there."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_samples_are_those_of_the_documentation(client: Client) -> None:
    """The samples that the documents speak of are the page's, byte by byte."""
    folder = ROOT / "service" / "page" / "samples"
    listed = {sample["file"] for sample in client.get("/page/samples/samples.json").json()}
    for file in (ROOT / "docs" / "samples").iterdir():
        if file.suffix != ".md":
            assert file.name in listed
            assert (folder / file.name).read_bytes() == file.read_bytes()
    for name in listed:
        assert client.get(f"/page/samples/{name}").content == (folder / name).read_bytes()


def test_every_bundled_model_has_a_sample(client: Client) -> None:
    """Whatever model is chosen, there is something to try it on."""
    samples = client.get("/page/samples/samples.json").json()
    named = {model for sample in samples for model in sample["models"]}
    assert named == {folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir()}


def test_page_is_there_before_a_key_is(repository: Path) -> None:
    """The page and its files need no key, since it is the page that asks for one."""
    settings = Settings(models_dir=repository, device="cpu", api_keys="a-key-of-the-page-1")
    with Client(settings) as locked:
        for path in ("/", "/docs", "/page/js/main.js"):
            assert locked.get(path, headers=BROWSER).status_code == 200
        for path in ("/", "/v1/models", "/openapi.json", "/pages", "/docs/"):
            assert locked.get(path).status_code == 401
        assert locked.get("/v1/models", headers=BROWSER).status_code == 401


def test_documents_have_addresses_of_their_own(client: Client) -> None:
    """Among the files there is no HTML, which would go out without its policy."""
    assert client.get("/page/index.html").status_code == 404
    assert client.get("/page/docs.html").status_code == 404


def test_browser_that_likes_nothing_needs_a_key_too(tmp_path: Path) -> None:
    """An Accept header that rules everything out is no way round the guard, and no fault."""
    write_model(tmp_path)
    settings = Settings(models_dir=tmp_path, device="cpu", threads=1, api_keys=SecretStr("k" * 20))
    nothing = {"accept": "text/html;q=0"}
    with Client(settings) as client:
        assert client.get("/", headers=nothing).status_code == 401
        known = {**nothing, "authorization": f"Bearer {'k' * 20}"}
        assert client.get("/", headers=known).status_code == 406
