import io
from collections.abc import Iterator
from threading import Event

import numpy as np
import pytest
from PIL import Image

from service.contract.errors import DeadlineExceeded, InvalidAudio, InvalidParameter
from service.runners import Runners
from service.settings import Settings
from service.tasks.catalog import Catalog
from service.tasks.reasons.weighing import Steps
from service.tasks.stability.judges import ClassJudge, Mask, MaskJudge
from service.tasks.stability.measure import Curve, Stability, measure
from service.tasks.stability.moves import PictureMoves, Transform
from service.tasks.stability.picture import render_stability
from service.tasks.stability.subjects import Subject, subject_of
from service.wiring import open_live
from tests.linear_model import write_linear
from tests.sounds import stored, tone
from tests.tiny_models import write_listener, write_model, write_segmenter, write_spans

LABELS = ("a", "b", "c")
FOLLOWED_PIXEL = (3, 4)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """One of each task, and a net that looks at one pixel: red if that is, else a little green."""
    root = tmp_path_factory.mktemp("models")
    for write in (write_model, write_segmenter, write_listener, write_spans):
        write(root)
    weights = np.zeros((3, 3, 8, 8))
    weights[0, 0, FOLLOWED_PIXEL[0], FOLLOWED_PIXEL[1]] = 4
    write_linear(root, weights, np.array([0.0, 1.0, 0.0]), "pixel")
    write_linear(root, np.random.default_rng(1).normal(0, 0.3, (3, 3, 8, 8)), np.zeros(3))
    runners = Runners(1)
    yield open_live(Settings(models_dir=root, device="cpu", threads=1), runners).catalog
    runners.close()


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def noise(*size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def ended(steps: Steps[Stability]) -> Stability:
    """Return what comes of all the steps."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Stability = end.value
            return found


def measured(
    catalog: Catalog,
    model: str,
    data: bytes,
    *transforms: Transform,
    class_index: int | None = None,
) -> Stability:
    subject = subject_of(catalog.get(model), data, 0.0)
    return ended(measure(subject, transforms or subject.moves.transforms, class_index, Event()))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def probabilities(curve: Curve) -> list[float | None]:
    return [said.probability for said in curve.said]


def test_linear_net_is_followed_as_worked_out_with_numpy(catalog: Catalog) -> None:
    """Weights times the shifted pixels, through a softmax, at every shift."""
    pixels = noise(8, 8)
    weights = np.random.default_rng(1).normal(0, 0.3, (3, 3, 8, 8))
    around = np.pad(pixels, ((8, 8), (8, 8), (0, 0)), mode="symmetric") / 255
    (curve, *_) = measured(catalog, "linear", png(pixels), "shift", class_index=1).curves

    assert curve.sweep.amounts == (-2, -1, 0, 1, 2)
    for amount, said in zip(curve.sweep.amounts, curve.said, strict=True):
        left = 8 - int(amount)
        shown = around[8:16, left : left + 8].transpose(2, 0, 1)
        expected = softmax((weights * shown).sum(axis=(1, 2, 3)))
        assert said.probability == pytest.approx(expected[1], abs=1e-5)
        assert said.class_index == expected.argmax()


def test_net_that_looks_at_one_pixel_loses_it(catalog: Catalog) -> None:
    """A red column stays where the pixel looks when moved down, and is gone when moved across."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, FOLLOWED_PIXEL[1], 0] = 255
    across, down, diagonal = measured(catalog, "pixel", png(pixels), "shift").curves
    red, gone = softmax(np.array([4, 1, 0]))[0], softmax(np.array([0, 1, 0]))[0]

    assert probabilities(across) == pytest.approx([gone, gone, red, gone, gone])
    assert [said.agrees for said in across.said] == [False, False, True, False, False]
    assert [said.class_index for said in across.said] == [1, 1, 0, 1, 1]
    assert probabilities(down) == pytest.approx([red] * 5)
    assert (across.consistency, down.consistency, diagonal.consistency) == (0, 1, 0)


def test_mean_over_the_picture_does_not_see_what_keeps_the_mean(catalog: Catalog) -> None:
    """Rows of one colour each may be shifted across; one colour throughout may be moved anyhow."""
    rows = np.repeat(noise(8, 1), 8, axis=1)
    across, down, _ = measured(catalog, "colors", png(rows), "shift").curves
    assert len(set(probabilities(across))) == 1
    assert len(set(probabilities(down))) > 1

    flat = np.full((8, 8, 3), (10, 200, 30), np.uint8)
    for curve in measured(catalog, "colors", png(flat)).curves:
        assert len(set(probabilities(curve))) == 1
        assert curve.consistency == 1


def test_followed_class_is_the_likeliest_at_rest_unless_asked(catalog: Catalog) -> None:
    """Its probability at rest is told, and class_index chooses another."""
    green = png(np.full((8, 8, 3), (0, 255, 0), np.uint8))
    expected = softmax(np.array([0.0, 10.0, 0.0]))
    found = measured(catalog, "colors", green, "scale")
    assert (found.class_index, found.probability) == (1, pytest.approx(expected[1]))
    other = measured(catalog, "colors", green, "scale", class_index=2)
    assert (other.class_index, other.probability) == (2, pytest.approx(expected[2]))
    assert other.curves[0].consistency == 1  # which is about the likeliest, not about that one
    with pytest.raises(InvalidParameter, match="has the classes 0-2"):
        measured(catalog, "colors", green, "scale", class_index=3)


def test_segmenter_of_surroundings_moves_with_the_picture(catalog: Catalog) -> None:
    """What sees 3 x 3 pixels says the same of them wherever they are, two from the border on."""
    found = measured(catalog, "paint", png(noise(12, 16)), "shift")
    assert [curve.consistency for curve in found.curves] == [1, 1, 1]
    assert found.runs == 1 + 3 * 4  # by 1 and 2 to either side: 12 rows allow for 3 at most
    # turned, a pixel is mixed of its neighbours, which may make another class of it
    (turned,) = measured(catalog, "paint", png(noise(12, 16)), "rotate").curves
    assert 0 < turned.consistency < 1


def test_segmenter_of_places_is_found_out() -> None:
    """Columns told apart by their number: nothing agrees at odd shifts, everything at even ones."""
    moves = PictureMoves(noise(40, 40))

    def odd_columns(inputs: np.ndarray) -> list[Mask]:
        classes = np.broadcast_to(np.arange(inputs.shape[2]) % 2, inputs.shape[1:3])
        chances = np.stack([classes == number for number in range(2)]).astype(np.float32)
        return [Mask(classes.astype(np.uint8), chances)] * len(inputs)

    judge = MaskJudge(odd_columns, LABELS, lambda sweep, amount, _: moves.source(sweep, amount))
    across, down, _ = ended(measure(Subject(moves, judge, 4), ["shift"], 1, Event())).curves
    even = [amount % 2 == 0 for amount in across.sweep.amounts]
    assert [said.agrees for said in across.said] == [float(same) for same in even]
    # of the pixels that were of class 1
    assert probabilities(across) == [float(same) for same in even]
    assert across.consistency == 0.5
    assert down.consistency == 1


def test_class_that_a_mask_has_not_cannot_be_followed(catalog: Catalog) -> None:
    """The error says which classes are there."""
    red = png(np.full((12, 16, 3), (255, 0, 0), np.uint8))
    with pytest.raises(InvalidParameter, match=r"finds no 'blue' here, but 0 \(red\)"):
        measured(catalog, "paint", red, "shift", class_index=2)


def test_louder_tone_is_answered_as_worked_out_by_hand(catalog: Catalog) -> None:
    """The net compares the mean amplitude with 0.02, 0.1 and 0.4; a gain multiplies it."""
    waveform = np.where(np.arange(4000) % 2, 0.1, -0.1).astype(np.float32)
    gain, shift = measured(catalog, "loudness", stored(waveform), "gain", "shift").curves
    levels = np.array([0.02, 0.1, 0.4])
    for decibels, said in zip(gain.sweep.amounts, gain.said, strict=True):
        mean = 0.1 * 10 ** (decibels / 20)
        expected = softmax(400 * levels * mean - 200 * levels**2)
        assert said.probability == pytest.approx(expected[1], abs=1e-4)
        assert said.agrees == (expected.argmax() == 1)
    assert not gain.said[0].agrees
    # its mean amplitude stays what it is, wherever it begins
    assert probabilities(shift) == pytest.approx([shift.said[0].probability] * 17)


def test_pauses_move_with_the_sound(catalog: Catalog) -> None:
    """A shift by 50 ms is one by two frames of 200 samples: all that stay in sight agree."""
    waveform = np.concatenate([tone(0.25), np.zeros(2200, np.float32)])
    found = measured(catalog, "pauses", stored(waveform), "shift")
    by_amount = dict(zip(found.curves[0].sweep.amounts, found.curves[0].said, strict=True))
    assert found.probability is None
    assert by_amount[50.0].agrees == by_amount[-50.0].agrees == 1
    assert min(float(said.agrees) for said in by_amount.values()) > 0.8


def test_silent_window_is_not_classified(catalog: Catalog) -> None:
    """As `classify` has nothing to say of silence, nor has this."""
    with pytest.raises(InvalidAudio, match="silent"):
        measured(catalog, "loudness", stored(np.zeros(4000, np.float32)))


def test_nobody_waits_so_nothing_more_is_run() -> None:
    """When the answer is no longer wanted, the next batch is not begun."""
    moves, gone, sizes = PictureMoves(noise(32, 32)), Event(), []

    def run(inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs))
        if len(sizes) == 3:
            gone.set()
        return np.full((len(inputs), 3), 1 / 3)

    with pytest.raises(DeadlineExceeded):
        ended(measure(Subject(moves, ClassJudge(run, LABELS), 5), moves.transforms, None, gone))
    assert sizes == [1, 5, 5]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("model", "data"),
    [
        ("colors", png(noise(8, 8))),
        ("paint", png(noise(1, 1))),
        ("paint", png(noise(12, 16))),
        ("loudness", stored(tone(0.1))),
        ("pauses", stored(tone(0.1))),
    ],
)
def test_every_kind_is_drawn(catalog: Catalog, model: str, data: bytes) -> None:
    """A picture of every transform that the model's inputs have, however small they are."""
    served = catalog.get(model)
    subject = subject_of(served, data, 0.0)
    found = ended(measure(subject, subject.moves.transforms, None, Event()))
    drawn = render_stability(found, subject.moves, served.manifest.labels, model)
    image = Image.open(io.BytesIO(drawn))
    assert max(image.size) <= 2048
    assert len(image.convert("RGB").getcolors(2**24)) > 50


def test_probabilities_that_are_no_numbers_are_told_as_none() -> None:
    """A net that gives NaN is shown as it is, without an error."""
    moves = PictureMoves(noise(8, 8))
    judge = ClassJudge(lambda inputs: np.full((len(inputs), 3), np.nan), LABELS)
    found = ended(measure(Subject(moves, judge, 8), ["shift"], None, Event()))
    assert found.probability is None
    assert {said.probability for said in found.curves[0].said} == {None}
    assert render_stability(found, moves, LABELS, "broken")


def test_others_have_their_turn_before_every_run() -> None:
    """There is a step for each batch, so that no runner is kept for all of them."""
    moves, sizes = PictureMoves(noise(32, 32)), []

    def run(inputs: np.ndarray) -> np.ndarray:
        sizes.append(len(inputs))
        return np.full((len(inputs), 3), 1 / 3)

    steps = measure(Subject(moves, ClassJudge(run, LABELS), 5), ["rotate"], None, Event())
    runs_at_steps = [len(sizes) for _ in steps]

    assert runs_at_steps == list(range(1, len(sizes)))
    assert len(sizes) > 2
