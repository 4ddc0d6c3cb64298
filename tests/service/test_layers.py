import numpy as np
import onnx
import pytest
from onnx import helper

from service.contract.geometry import Window, output_size
from service.graph.layers import Layer, LayerTable, describe_layers
from tests.onnx_graphs import Net, residual_net


def table(net: Net) -> dict[str, Layer]:
    return {layer.name: layer for layer in describe_layers(net.model()).layers}


def test_ten_five_by_five_filters_have_760_parameters() -> None:
    """The lectures' worked example: 32x32x3, ten 5x5 filters, stride 1 or 2, pad 2."""
    for stride, side in ((1, 32), (2, 16)):
        net = Net(32, 32, 3)
        net.conv(10, (5, 5), name="conv/Conv", strides=[stride] * 2, pads=[2] * 4)
        conv = table(net)["conv/Conv"]
        assert conv.parameters == 760
        assert conv.shape == (10, side, side)
        assert conv.macs == 10 * side * side * 75
        assert (conv.kernel, conv.stride, conv.padding) == ((5, 5), (stride,) * 2, (2, 2, 2, 2))


def test_alexnet_volumes_shrink_from_227_to_6() -> None:
    """227, 55, 27, 13, 6: the shapes in the graph are those of the formula."""
    net = Net(227, 227, 3)
    net.conv(96, (11, 11), name="conv1/Conv", strides=[4, 4])
    net.add("MaxPool", name="pool1/MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    net.conv(256, (5, 5), name="conv2/Conv", pads=[2] * 4, group=2)
    net.add("MaxPool", name="pool2/MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    for name, filters, groups in (("conv3", 384, 1), ("conv4", 384, 2), ("conv5", 256, 2)):
        net.conv(filters, (3, 3), name=f"{name}/Conv", pads=[1] * 4, group=groups)
    net.add("MaxPool", name="pool5/MaxPool", kernel_shape=[3, 3], strides=[2, 2])
    layers = table(net)
    sides = [layers[name].shape[1] for name in ("conv1/Conv", "pool1/MaxPool", "pool2/MaxPool")]
    assert [*sides, layers["pool5/MaxPool"].shape[1]] == [55, 27, 13, 6]
    assert layers["pool5/MaxPool"].shape == (256, 6, 6)
    assert output_size(227, Window(11, stride=4), pad_end=0) == sides[0]
    assert output_size(sides[0], Window(3, stride=2), pad_end=0) == sides[1]
    assert layers["conv2/Conv"].parameters == 256 * 48 * 25 + 256
    assert layers["conv2/Conv"].groups == 2
    assert layers["pool5/MaxPool"].receptive_field == (195, 195)


def resnet18() -> LayerTable:
    """Return the layer table of ResNet-18 at 224 pixels with 1000 classes."""
    net = Net(224, 224, 3)

    def conv_bn(name: str, filters: int, kernel: int, stride: int, source: str = "") -> str:
        weight = net.weight(filters, net.channels[source or net.last], kernel, kernel)
        conv = net.node(
            "Conv", source or net.last, weight, name=f"{name}/Conv",
            strides=[stride] * 2, pads=[kernel // 2] * 4,
        )  # fmt: skip
        net.channels[conv] = filters
        statistics = [net.weight(filters) for _ in range(4)]
        return net.add("BatchNormalization", conv, *statistics, name=f"{name}.bn/Bn")

    conv_bn("stem", 64, 7, 2)
    net.add("Relu")
    net.add("MaxPool", name="pool/MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for group, filters in enumerate((64, 128, 256, 512), start=1):
        for block in range(2):
            path, stride = f"layer{group}.{block}", 2 if block == 0 and group > 1 else 1
            entry = net.last
            conv_bn(f"{path}.conv1", filters, 3, stride)
            net.add("Relu")
            right = conv_bn(f"{path}.conv2", filters, 3, 1)
            left = entry if stride == 1 else conv_bn(f"{path}.down", filters, 1, stride, entry)
            net.add("Add", right, left)
            net.add("Relu", name=f"{path}/Relu")
    net.add("GlobalAveragePool", name="pool/GlobalAveragePool")
    net.node("Flatten", net.last)
    net.gemm(512, 1000, name="fc/Gemm")
    return describe_layers(net.model())


def test_resnet18_has_its_published_cost_and_receptive_fields() -> None:
    """1.814 GMAC and 11,689,512 parameters; 7, 11, 43, 99, 211 and 435 pixels."""
    described = resnet18()
    layers = {layer.name: layer for layer in described.layers}
    assert described.totals.macs == 1_814_073_344
    assert described.totals.parameters == 11_689_512
    names = ["stem/Conv", "pool/MaxPool", *(f"layer{group}.1/Relu" for group in range(1, 5))]
    fields = [layers[name].receptive_field for name in names]
    assert fields == [(size, size) for size in (7, 11, 43, 99, 211, 435)]
    assert [layers[name].jump for name in names] == [(j, j) for j in (2, 4, 4, 8, 16, 32)]
    assert layers["fc/Gemm"].receptive_field == (224, 224)
    assert layers["fc/Gemm"].jump is None
    assert layers["fc/Gemm"].macs == 512_000


def test_shares_tell_where_the_cost_of_resnet18_lies() -> None:
    """All rows together have all of it; the stem a fifteenth, the last stage most parameters."""
    layers = {layer.name: layer for layer in resnet18().layers}
    assert sum(layer.macs_share for layer in layers.values()) == pytest.approx(1)
    assert sum(layer.parameters_share for layer in layers.values()) == pytest.approx(1)
    assert layers["stem/Conv"].macs_share == pytest.approx(118_013_952 / 1_814_073_344)
    assert layers["pool/MaxPool"].macs_share == layers["pool/MaxPool"].parameters_share == 0
    last = [layer for name, layer in layers.items() if name.startswith("layer4")]
    assert sum(layer.parameters_share for layer in last) == pytest.approx(8_393_728 / 11_689_512)


def test_row_tells_what_share_of_the_picture_a_cell_sees() -> None:
    """11 x 11 of 224 x 224 pixels after the first pooling; never more than all."""
    layers = {layer.name: layer for layer in resnet18().layers}
    assert layers["stem/Conv"].sees == pytest.approx((7 / 224) ** 2)
    assert layers["pool/MaxPool"].sees == pytest.approx((11 / 224) ** 2)
    assert layers["layer3.1/Relu"].sees == pytest.approx((211 / 224) ** 2)
    assert layers["layer4.1/Relu"].receptive_field == (435, 435)
    assert layers["layer4.1/Relu"].sees == layers["fc/Gemm"].sees == 1


def test_shares_of_what_is_not_known_are_not_told() -> None:
    """An open size leaves costs and sights open, and a net without weights has no share of any."""
    net = Net(8, 8, 3)
    net.inputs[0].type.tensor_type.shape.dim[1].dim_param = "height"
    net.conv(4, (3, 3), name="conv/Conv")
    conv = table(net)["conv/Conv"]
    assert (conv.macs_share, conv.sees, conv.parameters_share) == (None, None, 1)
    bare = Net(8, 8, 3)
    bare.add("MaxPool", name="pool/MaxPool", kernel_shape=[2, 2])
    pool = table(bare)["pool/MaxPool"]
    assert (pool.macs_share, pool.parameters_share, pool.sees) == (None, None, 4 / 64)


def test_input_scaling_is_neither_a_layer_nor_learned() -> None:
    """Rows begin where the picture is channels-first; mean and std are no parameters."""
    net = Net(8, 8, 3)
    net.node("Sub", net.last, net.constant(np.full((1, 3, 1, 1), 0.5, np.float32)))
    net.channels[net.last] = 3
    net.conv(2, (1, 1))
    described = describe_layers(net.model())
    assert [layer.op for layer in described.layers] == ["Transpose", "Sub", "Conv"]
    assert described.totals.parameters == 2 * 3 + 2


def test_shared_weights_count_once_in_the_total() -> None:
    """Two nodes with one weight: each row shows it, the total has it once."""
    net = Net(8, 8, 2)
    weight = net.weight(2, 2, 1, 1)
    net.node("Conv", net.last, weight)
    net.node("Conv", net.last, weight)
    described = describe_layers(net.model())
    assert [layer.parameters for layer in described.layers[-2:]] == [4, 4]
    assert described.totals.parameters == 4


def test_learned_scale_and_matrix_product_count() -> None:
    """A scale per channel behind a layer is learned; MatMul costs like a linear layer."""
    net = Net(4, 4, 3)
    net.conv(6, (1, 1))
    net.add("Mul", net.last, net.weight(1, 6, 1, 1), name="scale/Mul")
    net.add("GlobalMaxPool")
    net.node("Reshape", net.last, net.constant(np.array([0, 6])))
    net.node("MatMul", net.last, net.weight(6, 10), name="fc/MatMul")
    net.node("Add", net.last, net.weight(10), name="fc/Add")
    layers = table(net)
    assert layers["scale/Mul"].parameters == 6
    assert (layers["fc/MatMul"].parameters, layers["fc/MatMul"].macs) == (60, 60)
    assert layers["fc/Add"].parameters == 10
    assert layers["fc/Add"].receptive_field == (4, 4)


def test_transposed_convolution_costs_as_much_as_its_input_has_cells() -> None:
    """Each input value meets every weight that leads from it: 6 x 8 x 8 times 4 x 2 x 2."""
    net = Net(8, 8, 3)
    net.conv(6, (1, 1))
    weights, bias = net.weight(6, 4, 2, 2), net.weight(4)
    net.node("ConvTranspose", net.last, weights, bias, name="up/ConvTranspose", strides=[2, 2])
    up = table(net)["up/ConvTranspose"]
    assert up.shape == (4, 16, 16)
    assert up.parameters == 6 * 4 * 2 * 2 + 4
    assert up.macs == 6 * 8 * 8 * 4 * 2 * 2
    assert (up.kernel, up.stride) == ((2, 2), (2, 2))


def test_costs_are_per_item_even_if_the_batch_is_fixed() -> None:
    """A graph for batches of four costs as much per picture as one for any batch."""
    net = Net(8, 8, 3)
    net.inputs[0].type.tensor_type.shape.dim[0].dim_value = 4
    net.conv(10, (3, 3), name="conv/Conv")
    assert table(net)["conv/Conv"].macs == 10 * 6 * 6 * 27


def test_old_files_list_their_weights_among_the_inputs() -> None:
    """Before IR version 4 every initializer was an input too; neither is a picture."""
    net = Net(8, 8, 3)
    net.conv(10, (3, 3), name="conv/Conv")
    model = net.model()
    model.ir_version = 3
    for tensor in model.graph.initializer:
        listed = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(listed)
    conv = describe_layers(model).layers[-1]
    assert (conv.shape, conv.parameters, conv.receptive_field) == ((10, 6, 6), 280, (3, 3))


def test_shape_arithmetic_and_side_branches_have_no_row() -> None:
    """What only measures shapes, or leads to no output, is not looked at."""
    net = Net(4, 4, 3)
    conv = net.conv(6, (1, 1), name="conv/Conv")
    net.node("Shape", conv, name="shape", start=0, end=1)
    net.node("Cast", "shape", name="float_shape", to=onnx.TensorProto.FLOAT)
    net.node("Cast", "float_shape", name="again", to=onnx.TensorProto.INT64)
    net.node("Concat", "again", net.constant(np.array([-1])), name="target", axis=0)
    net.node("Relu", conv, name="unused/Relu")
    net.node("Reshape", "float_shape", net.constant(np.ones(4, np.int64)), name="count/Reshape")
    net.node("Mul", conv, "count/Reshape", name="scaled/Mul")
    net.node("Reshape", "scaled/Mul", "target", name="flat/Reshape")
    assert list(table(net)) == ["input/Transpose", "conv/Conv", "scaled/Mul", "flat/Reshape"]


def test_unknown_operator_empties_the_field_but_not_the_table() -> None:
    """Behind an operator that is not understood nothing is claimed, until all is pooled."""
    net = Net(6, 6, 3)
    net.conv(2, (3, 3), name="conv/Conv")
    net.add("CumSum", net.last, net.constant(np.array(3)), name="odd/CumSum")
    net.add("Relu", name="after/Relu")
    layers = table(net)
    assert layers["conv/Conv"].receptive_field == (3, 3)
    for name in ("odd/CumSum", "after/Relu"):
        assert layers[name].receptive_field is None
        assert layers[name].jump is None
        assert layers[name].shape == (2, 4, 4)


def test_unknown_operator_behind_the_global_pooling_changes_nothing() -> None:
    """Where every value sees all there is, no operator can make it see more."""
    net = Net(6, 6, 3)
    net.add("GlobalAveragePool")
    net.add("CumSum", net.last, net.constant(np.array(1)), name="odd/CumSum")
    assert table(net)["odd/CumSum"].receptive_field == (6, 6)


def test_some_of_the_channels_see_what_all_do() -> None:
    """Picking channels changes nothing; picking places is not understood."""
    net = Net(6, 6, 3)
    net.conv(4, (3, 3))
    net.add("Gather", net.last, net.constant(np.array([2, 0])), name="some/Gather", axis=1)
    net.add("Gather", net.last, net.constant(np.array([2, 0])), name="odd/Gather", axis=2)
    layers = table(net)
    assert (layers["some/Gather"].shape, layers["some/Gather"].receptive_field) == (
        (2, 4, 4),
        (3, 3),
    )
    assert layers["odd/Gather"].receptive_field is None


def test_normalisation_over_all_places_leaves_cells_where_they_are() -> None:
    """Its statistics are of the whole picture, but each cell still has its own window."""
    net = Net(9, 9, 3)
    net.conv(4, (3, 3), strides=[2, 2])
    net.add("InstanceNormalization", net.last, net.weight(4), net.weight(4), name="norm/Norm")
    norm = table(net)["norm/Norm"]
    assert (norm.receptive_field, norm.local_receptive_field) == ((9, 9), (3, 3))
    assert (norm.jump, norm.start) == ((2, 2), (1.5, 1.5))


def test_dynamic_picture_size_leaves_unknown_numbers_out() -> None:
    """With H and W open, sizes and costs are unknown, parameters and fields are not."""
    net = Net(8, 8, 3)
    for axis in (1, 2):
        net.inputs[0].type.tensor_type.shape.dim[axis].dim_param = f"side_{axis}"
    net.conv(4, (3, 3), name="conv/Conv", strides=[2, 2])
    net.add("GlobalAveragePool", name="pool/GlobalAveragePool")
    described = describe_layers(net.model())
    layers = {layer.name: layer for layer in described.layers}
    assert layers["conv/Conv"].shape == (4, None, None)
    assert layers["conv/Conv"].macs is None
    assert layers["conv/Conv"].receptive_field == (3, 3)
    assert layers["pool/GlobalAveragePool"].receptive_field is None
    assert described.totals.macs is None
    assert described.totals.parameters == 112


def test_sequences_see_along_one_axis() -> None:
    """A 1-D net over (batch, C, L): pairs are (1, along)."""
    net = Net(1, 1, 1)
    net.nodes.clear()
    net.initializers.clear()
    net.inputs = [helper.make_tensor_value_info("waves", onnx.TensorProto.FLOAT, ["batch", 1, 100])]
    net.channels["waves"] = 1
    net.conv(4, (9,), "waves", name="conv/Conv", strides=[3], pads=[4, 4])
    net.add("MaxPool", name="pool/MaxPool", kernel_shape=[2], strides=[2])
    net.node("ReduceMean", net.last, net.constant(np.array([-1])), name="mean/Mean", keepdims=0)
    layers = table(net)
    assert layers["conv/Conv"].shape == (4, 34)
    assert layers["conv/Conv"].macs == 4 * 34 * 9
    assert layers["pool/MaxPool"].receptive_field == (1, 12)
    assert layers["pool/MaxPool"].jump == (1, 6)
    assert layers["mean/Mean"].receptive_field == (1, 100)
    assert layers["mean/Mean"].jump is None


def test_module_is_the_path_before_the_slash() -> None:
    """The layer says which module made it, as its name tells."""
    layers = describe_layers(residual_net()).layers
    assert {layer.module for layer in layers} >= {"stem", "block.conv1", "block", "fc"}
