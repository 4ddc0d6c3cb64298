"""What the page says of pictures and sounds, however they come to it."""

import io
import subprocess

import httpx
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.page.browser import SAMPLES, Bench, drop, paste, settled
from tests.pictures import flat


def test_chosen_picture_is_answered(bench: Bench) -> None:
    """A file that is chosen is named by the model, with its probability and the time it took."""
    cat = SAMPLES / "cat.jpg"
    answer = httpx.post(f"{bench.url}/v1/models/cifar10/classify", content=cat.read_bytes())
    probability = answer.json()["predictions"][0]["probability"]

    with bench.open() as page:
        page.set_input_files("#file", cat)
        first = page.locator(".bars li").first

        expect(first.locator(".name")).to_have_text("cat")
        expect(first.locator(".number")).to_have_text(f"{probability:.1%}")
        expect(page.locator(".latency dt")).to_contain_text(["decode", "queue", "compute"])
        expect(page.locator("#live")).to_contain_text("cat")
        assert "cat.jpg" not in page.url  # what is one's own is in no address


def test_dropped_and_pasted_pictures_are_answered(bench: Bench) -> None:
    """Files may be dropped and pasted as well; the last one counts."""
    with bench.open("#model=flowers") as page:
        drop(page, "cat.jpg", (SAMPLES / "cat.jpg").read_bytes(), "image/jpeg")
        expect(page.locator("#caption")).to_contain_text("cat.jpg")
        settled(page, "answer")
        paste(page, "green.png", flat("green", "PNG"), "image/png")
        expect(page.locator("#caption")).to_contain_text("green.png")
        expect(page.locator(".bars li")).to_have_count(5)


@pytest.mark.parametrize("late", ["**/v1/models", "**/js/main.js"])
def test_file_that_comes_early_is_answered(bench: Bench, late: str) -> None:
    """A file that is chosen while the page still loads is not lost."""
    with bench.open(path="/docs") as page:
        page.route(late, lambda route: (page.wait_for_timeout(300), route.continue_()))
        page.goto(f"{bench.url}/#model=cifar10", wait_until="commit")
        page.locator("#stage").wait_for()
        page.set_input_files("#file", SAMPLES / "cat.jpg")
        expect(page.locator(".bars .name").first).to_have_text("cat")


def test_sample_chooses_its_model(bench: Bench) -> None:
    """A sample goes to the model it is for, unless one was chosen that takes such files."""
    with bench.open() as page:
        page.get_by_role("button", name="Drawn seven").click()
        expect(page.locator("#model")).to_have_value("digits")
        expect(page.locator(".bars .name").first).to_have_text("7")

        page.locator("#model").select_option("cifar10")
        page.get_by_role("button", name="Temple").click()
        expect(page.locator("#model")).to_have_value("cifar10")
        page.get_by_role("button", name="Spoken seven").click()
        expect(page.locator("#model")).to_have_value("spoken_digits")


def test_segmenter_colours_the_picture(bench: Bench) -> None:
    """Every class has its share; hiding all but one leaves that share of the pixels coloured."""
    picture = (SAMPLES / "temple.jpg").read_bytes()
    classes = httpx.post(f"{bench.url}/v1/models/street/segment", content=picture).json()["classes"]

    with bench.open("#sample=temple.jpg") as page:
        rows = page.locator(".legend li")
        expect(rows).to_have_count(len(classes))
        expect(rows.first.locator(".number")).to_have_text(f"{classes[0]['share']:.1%}")
        for row in rows.all()[1:]:
            row.locator("input").uncheck()
        covered = page.evaluate(
            """() => {
                const canvas = document.querySelector(".cover canvas");
                const context = canvas.getContext("2d");
                const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
                return pixels.filter((value, i) => i % 4 === 3 && value).length * 4 / pixels.length;
            }"""
        )
        assert abs(covered - classes[0]["share"]) < 0.001

        page.get_by_label("Opacity of the mask").fill("0")
        expect(page.locator(".cover")).to_have_css("opacity", "0")


def test_sound_is_played_shown_and_named(bench: Bench) -> None:
    """A sound has a player, its waveform, the picture that the net makes of it, and its windows."""
    with bench.open("#sample=digits.flac&model=spoken_digits") as page:
        expect(page.locator("audio")).to_have_js_property("error", None)
        expect(page.locator(".waveform path")).to_have_count(1)
        expect(page.locator("img.sheet")).to_have_js_property("complete", True)
        windows = page.locator("button.span")
        assert windows.count() > 5

        windows.nth(6).click()
        expect(windows.nth(6)).to_have_attribute("aria-pressed", "true")
        assert "start=2.25" in page.url
        expect(page.locator("figcaption")).to_contain_text("2.25 s")


def test_spans_of_a_sound_have_their_seconds(bench: Bench) -> None:
    """A net that tells every moment has its spans over the waveform, and a legend of seconds."""
    with bench.open("#sample=digits.flac&model=silence") as page:
        expect(page.locator(".legend li")).to_contain_text(["silence", "sound"])
        spans = page.locator(".spans .span")
        assert spans.count() > 4
        left, right = spans.first.bounding_box(), spans.last.bounding_box()
        frame = page.locator(".spans").bounding_box()
        assert left is not None
        assert right is not None
        assert frame is not None
        assert abs(left["x"] - frame["x"]) < 1
        assert abs(right["x"] + right["width"] - frame["x"] - frame["width"]) < 1


def test_views_of_classes_are_not_offered_for_numbers(bench: Bench) -> None:
    """A net that measures has no reasons; an address that asks for them shows its answer."""
    with bench.open("#sample=beat.flac&view=explain") as page:
        settled(page, "answer")
        expect(page.locator("button.span")).to_have_count(2)
        shown = page.locator("[role=tab]:not([hidden])")
        expect(shown).to_have_text(["Answer", "Layers", "Kernels"])
        page.locator("#model").select_option("spoken_digits")
        expect(shown).to_have_count(6)


def test_picture_is_shown_upright(bench: Bench) -> None:
    """A photograph that is stored lying is shown standing, as the model gets it."""
    picture = Image.new("RGB", (3000, 1000), "red")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)

    with bench.open("#model=cifar10") as page:
        drop(page, "lying.jpg", buffer.getvalue(), "image/jpeg")
        settled(page, "answer")
        canvas = page.locator(".picture canvas")
        expect(canvas).to_have_js_property("height", 1600)
        expect(canvas).to_have_js_property("width", 533)
        place = canvas.bounding_box()
        assert place
        assert abs(place["height"] / place["width"] - 3) < 0.05


def test_command_gives_the_same_answer(bench: Bench) -> None:
    """The command that is shown can be run as it is."""
    with bench.open("#sample=cat.jpg") as page:
        page.get_by_text("The command").first.click()
        command = page.locator(".actions code").inner_text()
    answer = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout

    assert b'"label":"cat"' in answer


def test_answer_can_be_saved(bench: Bench) -> None:
    """What is shown can be saved as a file."""
    with bench.open("#sample=temple.jpg") as page:
        with page.expect_download() as download:
            page.get_by_role("button", name="Save overlay PNG").click()
        saved = download.value
        assert saved.suggested_filename == "temple-street.overlay.png"
        assert saved.path().read_bytes().startswith(b"\x89PNG")


def test_number_is_shown_with_its_unit(bench: Bench) -> None:
    """A model that measures tells its quantity over the sound, and in each of its windows."""
    beat = (SAMPLES / "beat.flac").read_bytes()
    answer = httpx.post(f"{bench.url}/v1/models/tempo/measure", content=beat).json()
    value = answer["values"][0]["value"]

    with bench.open("#sample=beat.flac") as page:
        expect(page.locator("#model")).to_have_value("tempo")
        expect(page.locator(".measured dd")).to_have_text(f"{value:.4g} BPM")
        expect(page.locator("#live")).to_contain_text("BPM")
