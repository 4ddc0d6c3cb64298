"""The layer table of nets that hear: hand-worked numbers, and what samples really change."""

import numpy as np
import onnx
import pytest

from service.graph.layers import Layer, describe_layers
from tests.sound_graphs import SoundNet, hamming, run_taps, triangles


def table(net: SoundNet) -> dict[str, Layer]:
    return {layer.name: layer for layer in describe_layers(net.model()).layers}


def waves(samples: int = 1600) -> SoundNet:
    """Return strided convolutions and a pooling on the waveform, then a linear head."""
    net = SoundNet(samples)
    net.sequence()
    net.conv(8, (80,), name="first/Conv", strides=[4], pads=[38, 38])
    net.add("Relu", name="first/Relu")
    net.add("MaxPool", name="pool/MaxPool", kernel_shape=[4], strides=[4])
    net.conv(16, (3,), name="second/Conv", pads=[1, 1], dilations=[1])
    net.conv(16, (3,), name="third/Conv", pads=[2, 2], dilations=[2], group=2)
    net.node("ReduceMean", net.last, net.axes(2), name="mean/Mean", keepdims=0)
    net.gemm(16, 3, name="head/Gemm")
    return net


def spectrogram(samples: int = 400, bands: int = 6) -> SoundNet:
    """Return log-mel bands of a reflected waveform, two convolutions on them, and a mean."""
    net = SoundNet(samples)
    pads = net.constant(np.array([0, 32, 0, 32]))
    net.node("Pad", net.last, pads, name="reflect/Pad", mode="reflect")
    net.powers(hamming(64), hop=16)
    net.log_mel(triangles(bands, 33))
    net.node("Sub", net.last, net.constant(np.full((1, 1, bands, 1), -3, np.float32)), name="shift")
    net.channels["shift"] = 1
    net.conv(4, (3, 3), name="first/Conv", pads=[1] * 4)
    net.add("MaxPool", name="pool/MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    net.conv(2, (3, 3), name="second/Conv", pads=[1] * 4)
    net.node("ReduceMean", net.last, net.axes(2), name="bands/Mean", keepdims=0)
    net.node("ReduceMean", net.last, net.axes(2), name="mean/Mean", keepdims=0)
    return net


def test_worked_example_of_a_net_on_the_waveform() -> None:
    """80 samples every 4, then 4 of those every 4: 80 + 3 x 4 = 92 samples, 16 apart."""
    layers = table(waves())
    first, pool = layers["first/Conv"], layers["pool/MaxPool"]
    assert (first.shape, first.kernel, first.stride, first.padding) == (
        (8, 400),
        (80,),
        (4,),
        (38, 38),
    )
    assert (first.parameters, first.macs) == (8 * 80 + 8, 8 * 400 * 80)
    assert (first.receptive_field, first.jump, first.start) == ((1, 80), (1, 4), (0.5, 2))
    assert (pool.shape, pool.receptive_field, pool.jump) == ((8, 100), (1, 92), (1, 16))
    assert pool.start == (0.5, 8)  # the mean of the centres 2, 6, 10 and 14
    assert layers["second/Conv"].receptive_field == (1, 92 + 2 * 16)
    third = layers["third/Conv"]
    assert third.receptive_field == (1, 92 + 2 * 16 + 4 * 16)
    assert (third.groups, third.dilation, third.macs) == (2, (2,), 16 * 100 * 8 * 3)
    assert (layers["mean/Mean"].receptive_field, layers["mean/Mean"].jump) == ((1, 1600), None)


def test_worked_example_of_a_net_on_a_spectrogram() -> None:
    """Frames of 64 samples every 16; up and down, what counts is bands of the filterbank."""
    described = describe_layers(spectrogram().model())
    layers = {layer.name: layer for layer in described.layers}
    log_mel, first = layers["log_mel/Unsqueeze"], layers["first/Conv"]
    assert log_mel.shape == (1, 6, 26)  # (400 + 2 * 32 - 64) / 16 + 1 frames
    assert (log_mel.receptive_field, log_mel.jump) == ((1, 64), (1, 16))
    assert log_mel.start == (0.5, 0)  # half of the first frame lies before the sound
    assert (first.receptive_field, first.jump, first.start) == ((3, 96), (1, 16), (0.5, 0))
    pool, second = layers["pool/MaxPool"], layers["second/Conv"]
    assert (pool.receptive_field, pool.jump, pool.start) == ((4, 112), (2, 32), (1, 8))
    assert (second.receptive_field, second.jump) == ((8, 176), (2, 32))
    along = layers["bands/Mean"]
    assert (along.shape, along.receptive_field, along.jump) == ((2, 13), (6, 176), (1, 32))
    assert along.start == (3, 8)
    assert (layers["mean/Mean"].receptive_field, layers["mean/Mean"].jump) == ((6, 400), None)
    # 26 frames of 64 samples by a fast transform, 6 steps each; 33 frequencies into 6 bands
    expected = 26 * 64 * 6 + 6 * 26 * 33 + 4 * 6 * 26 * 9 + 2 * 3 * 13 * 36
    assert described.totals.macs == expected
    # neither the filterbank nor the scaling of its output is learned
    assert described.totals.parameters == (4 * 9 + 4) + (2 * 36 + 2)


def changed_by_samples(net: SoundNet, samples: int) -> dict[str, np.ndarray]:
    """Return by tap which samples change each cell, bool (samples, cells), over all channels."""
    waveform = np.random.default_rng(0).uniform(0.1, 0.2, samples).astype(np.float32)
    waveforms = np.repeat(waveform[None], samples + 1, axis=0)
    waveforms[np.arange(samples), np.arange(samples)] += 0.5
    seen = {}
    for name, values in run_taps(net.model(), waveforms).items():
        changed = values[:-1] != values[-1]
        seen[name] = changed.reshape(samples, -1, values.shape[-1]).any(axis=1)
    return seen


@pytest.mark.parametrize(("net", "samples"), [(waves(480), 480), (spectrogram(400), 400)])
def test_cells_see_just_the_samples_that_their_row_says(net: SoundNet, samples: int) -> None:
    """Every sample of the stretch changes some cell there, and none outside of it does."""
    seen, held = changed_by_samples(net, samples), 0
    for layer in describe_layers(net.model()).layers:
        if layer.jump is None:
            continue
        size, jump, start = layer.receptive_field[1], layer.jump[1], layer.start[1]
        for cell, hits in enumerate(seen[layer.name].T):
            begin, end = start + cell * jump - size / 2, start + cell * jump + size / 2
            if begin >= 0 and end <= samples:
                places = np.flatnonzero(hits)
                assert (places[0], places[-1] + 1) == (begin, end), (layer.name, cell)
                held += 1
    assert held > 80


def test_cells_see_just_the_bands_that_their_row_says() -> None:
    """A filter of the filterbank that is made louder changes the cells that see its band."""
    bands, samples = 12, 200
    before = spectrogram(samples, bands).model()
    waveforms = np.random.default_rng(0).uniform(0.1, 0.2, (1, samples)).astype(np.float32)
    values = run_taps(before, waveforms)
    changed = {name: np.zeros((bands, *array.shape[2:]), bool) for name, array in values.items()}
    for band in range(bands):
        after = run_taps(louder(before, band), waveforms)
        for name in values:
            changed[name][band] = (after[name] != values[name])[0].any(axis=0)
    for layer in describe_layers(before).layers:
        if len(layer.shape) != 3 or layer.jump is None or layer.name == "reflect/Pad":
            continue
        size, jump, start = layer.receptive_field[0], layer.jump[0], layer.start[0]
        for row, hits in enumerate(changed[layer.name].any(axis=2).T):
            begin, end = start + row * jump - size / 2, start + row * jump + size / 2
            places = np.flatnonzero(hits)
            assert (places[0], places[-1] + 1) == (max(begin, 0), min(end, bands)), layer.name


def louder(model: onnx.ModelProto, band: int) -> onnx.ModelProto:
    """Return the model with one filter of its filterbank doubled."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    (gather,) = (node for node in copy.graph.node if node.op_type == "MatMul")
    (filters,) = (t for t in copy.graph.initializer if t.name == gather.input[0])
    weights = onnx.numpy_helper.to_array(filters).copy()
    weights[band] *= 2
    filters.CopyFrom(onnx.numpy_helper.from_array(weights, filters.name))
    return copy


def test_mean_that_is_taken_away_is_seen_by_all_but_is_not_local() -> None:
    """Behind a normalisation a cell depends on everything, and still has its own stretch."""
    net = SoundNet(400)
    net.powers(hamming(64), hop=16)
    entry = net.log_mel(triangles(6, 33))
    mean = net.node("ReduceMean", entry, net.axes(2, 3), keepdims=1)
    net.node("Sub", entry, mean, name="level/Sub")
    net.channels["level/Sub"] = 1
    net.conv(4, (3, 3), name="conv/Conv")
    layers = table(net)
    level, conv = layers["level/Sub"], layers["conv/Conv"]
    assert (level.receptive_field, level.local_receptive_field) == ((6, 400), (1, 64))
    assert (conv.receptive_field, conv.local_receptive_field) == ((6, 400), (3, 96))
    assert (conv.jump, conv.start) == ((1, 16), (1.5, 48))
    assert layers["log_mel/Unsqueeze"].local_receptive_field == (1, 64)


def test_filterbank_may_stand_on_either_side() -> None:
    """Frames times filters, turned around afterwards, see what filters times frames do."""
    net = SoundNet(400)
    net.powers(hamming(64), hop=16)
    net.node("MatMul", net.last, net.constant(triangles(6, 33).T))
    net.node("Transpose", net.last, perm=[0, 2, 1])
    net.node("Unsqueeze", net.last, net.axes(1), name="log_mel/Unsqueeze")
    net.channels[net.last] = 1
    net.conv(4, (3, 3), name="conv/Conv")
    conv = table(net)["conv/Conv"]
    assert (conv.shape, conv.receptive_field, conv.jump) == ((4, 4, 20), (3, 96), (1, 16))


def test_spectrogram_without_a_filterbank_has_frequencies_for_rows() -> None:
    """One part of the complex numbers picked by its index, and nothing gathered."""
    net = SoundNet(400)
    net.powers(hamming(64), hop=16)
    net.node("Gather", "stft/STFT", net.constant(np.int64(0)), name="real/Gather", axis=3)
    net.node("Unsqueeze", net.last, net.axes(1), name="real/Unsqueeze")
    net.node("Transpose", net.last, name="turned/Transpose", perm=[0, 1, 3, 2])
    net.channels[net.last] = 1
    net.conv(4, (5, 1), name="conv/Conv")
    conv = table(net)["conv/Conv"]
    assert (conv.shape, conv.receptive_field, conv.start) == ((4, 29, 22), (5, 64), (2.5, 32))


def test_linear_layer_on_bands_makes_channels_and_is_learned() -> None:
    """Only the first product gathers frequencies; another one mixes all bands."""
    net = SoundNet(400)
    net.powers(hamming(64), hop=16)
    net.node("MatMul", net.last, net.constant(triangles(6, 33).T))
    net.node("MatMul", net.last, net.weight(6, 5), name="mix/MatMul")
    net.node("Transpose", net.last, name="mix/Transpose", perm=[0, 2, 1])
    described = describe_layers(net.model())
    (mixed,) = described.layers
    assert described.totals.parameters == 30
    assert (mixed.shape, mixed.receptive_field, mixed.jump) == ((5, 22), (6, 64), (1, 16))


def test_convolution_along_time_takes_bands_for_channels() -> None:
    """Its cells see all bands, and have a place in time only."""
    net = SoundNet(400)
    net.powers(hamming(64), hop=16)
    net.node("Transpose", net.last, perm=[0, 2, 1])
    net.node("MatMul", net.constant(triangles(6, 33)), net.last, name="bands/MatMul")
    net.channels[net.last] = 6
    net.conv(4, (3,), name="conv/Conv")
    conv = table(net)["conv/Conv"]
    assert (conv.shape, conv.receptive_field, conv.jump) == ((4, 20), (6, 96), (1, 16))


def test_convolutions_with_sines_make_a_spectrogram_too() -> None:
    """Where channels of a sequence become rows, they are the height from there on."""
    net = SoundNet(400)
    net.sequence()
    net.conv(33, (64,), name="sines/Conv", strides=[16])
    net.node("MatMul", net.constant(triangles(6, 33)), net.last)
    net.node("Unsqueeze", net.last, net.axes(1), name="log_mel/Unsqueeze")
    net.channels[net.last] = 1
    net.conv(4, (3, 3), name="conv/Conv")
    layers = table(net)
    assert layers["log_mel/Unsqueeze"].receptive_field == (1, 64)
    assert layers["conv/Conv"].receptive_field == (3, 96)


def test_transform_with_an_open_frame_claims_nothing() -> None:
    """Rather no receptive field than a wrong one."""
    net = SoundNet(400)
    net.inputs.append(onnx.helper.make_tensor_value_info("hop", onnx.TensorProto.INT64, []))
    net.node("STFT", net.last, "hop", net.constant(hamming(64)), name="stft/STFT", onesided=1)
    net.node("ReduceSum", net.last, net.axes(-1), keepdims=0)
    net.node("Unsqueeze", net.last, net.axes(1), name="powers/Unsqueeze")
    described = describe_layers(net.model())
    assert all(layer.receptive_field is None for layer in described.layers)
    assert described.totals.macs is None
