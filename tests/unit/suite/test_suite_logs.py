"""What libraries log of convolutions. Real lines: oneDNN's of the releases named; cuDNN 9.19's below data/cudnn, as
2.21.0 had it on an H200; cuDNN 7.5.1's call as a profiler's manual prints it, and MIOpen's as its own tests and reports
do, since no such GPU was here. Lines changed for a case say so.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from suite.evidence import Evidence, cudnn_log, cudnn_plans, library_logs, miopen_log, onednn_verbose
from suite.evidence.primitive import Primitive
from suite.evidence.rules import Asked, Node, from_graphs

BASE = Asked(groups=4, cin=16, taps=9, steps=("bias", "relu"))

ONEDNN = {
    "2.8.4": (
        (
            "onednn_verbose,exec,cpu,convolution,jit:avx512_common,forward_training,src_f32::blocked:acdb:f0 wei_"
            "f32::blocked:aBCde4c4b:f0 bia_f32::blocked:a:f0 dst_f32::blocked:acdb:f0,attr-post-ops:eltwise_relu "
            ",alg:convolution_direct,g4mb2_ic16oc32_ih9oh9kh3sh1dh0ph1_iw9ow9kw3sw1dw0pw1,0.205078"
            "\n"
        ),
        Primitive("oneDNN", "jit:avx512_common", 4, 16, ("eltwise_relu",)),
    ),
    "2.15.1": (
        (
            "onednn_verbose,exec,cpu,convolution,jit:avx512_core,forward_training,src_f32::blocked:acdb::f0 wei_f"
            "32:a:blocked:aBCde4c4b::f0 bia_f32:a:blocked:a::f0 dst_f32::blocked:acdb::f0,attr-scratchpad:user at"
            "tr-post-ops:eltwise_relu ,alg:convolution_direct,g4mb2_ic16oc32_ih9oh9kh3sh1dh0ph1_iw9ow9kw3sw1dw0pw"
            "1,0.059082"
            "\n"
        ),
        Primitive("oneDNN", "jit:avx512_core", 4, 16, ("eltwise_relu",)),
    ),
    "2.21.0": (
        (
            "onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx512_core,forward_training,src:f32::blocked:a"
            "cdb::f0 wei:f32:a:blocked:aBCde4c4b::f0 bia:f32:a:blocked:a::f0 dst:f32::blocked:acdb::f0,attr-scrat"
            "chpad:user attr-post-ops:eltwise_relu,alg:convolution_direct,g4mb2_ic16oc32_ih9oh9kh3sh1dh0ph1_iw9ow"
            "9kw3sw1dw0pw1,0.0600586"
            "\n"
        ),
        Primitive("oneDNN", "jit:avx512_core", 4, 16, ("eltwise_relu",)),
    ),
}

CUDNN = """\
I! CuDNN (v7501) function {function}() called:
i!     handle: type=cudnnHandle_t; streamId=0x7fa5880083d0;
i!     srcDesc: type=cudnnTensorDescriptor_t:
i!         dataType: type=cudnnDataType_t; val=CUDNN_DATA_FLOAT (0);
i!         nbDims: type=int; val=4;
i!         dimA: type=int; val=[2,16,9,9];
i!         strideA: type=int; val=[1296,81,9,1];
i!     filterDesc: type=cudnnFilterDescriptor_t:
i!         dataType: type=cudnnDataType_t; val=CUDNN_DATA_FLOAT (0);
i!         vect: type=int; val=0;
i!         nbDims: type=int; val=4;
i!         dimA: type=int; val=[32,4,3,3];
i!         format: type=cudnnTensorFormat_t; val=CUDNN_TENSOR_NCHW (0);
i!     convDesc: type=cudnnConvolutionDescriptor_t:
i!         mode: type=cudnnConvolutionMode_t; val=CUDNN_CROSS_CORRELATION (1);
i!         dataType: type=cudnnDataType_t; val=CUDNN_DATA_FLOAT (0);
i!         mathType: type=cudnnMathType_t; val=CUDNN_DEFAULT_MATH (0);
i!         arrayLength: type=int; val=2;
i!         padA: type=int; val=[1,1];
i!         strideA: type=int; val=[1,1];
i!         dilationA: type=int; val=[1,1];
i!         groupCount: type=int; val={groups};
i! Time: 2019-06-04T18:09:15.727680 (0d+0h+0m+5s since start)
i! Process=18690; Thread=18798; GPU=0; Handle=0x7fa5880ddba0; StreamId=0x7fa5880083d0.

"""
MIOPEN = (
    "MIOpen(HIP): Command [LogCmd{what}Convolution] ./bin/MIOpenDriver conv -n 2 -c 16 -H 9 -W 9 -k 32 -y 3 -x 3 "
    "-p 1 -q 1 -u 1 -v 1 -l 1 -j 1 -m conv -g {groups} -F {direction} -t 1\n"
)


@pytest.mark.parametrize("release", ONEDNN)
def test_onednn(release) -> None:
    text, primitive = ONEDNN[release]
    assert library_logs.parse(text) == onednn_verbose.parse(text) == [primitive]


def test_cudnn() -> None:
    """The published call is of AlexNet's first layer; function, sizes and groups are those of the base case here."""
    text = CUDNN.format(function="cudnnConvolutionForward", groups=4)
    assert library_logs.parse(text) == cudnn_log.parse(text) == [Primitive("cuDNN", "cudnnConvolutionForward", 4, 16)]


def test_cudnn_choosing_an_algorithm_executes_nothing() -> None:
    assert not cudnn_log.parse(CUDNN.format(function="cudnnFindConvolutionForwardAlgorithm", groups=4))


def test_miopen() -> None:
    text = MIOPEN.format(what="", groups=4, direction=1)
    assert library_logs.parse(text) == miopen_log.parse(text) == [Primitive("MIOpen", "conv", 4, 16)]


@pytest.mark.parametrize("line", [{"what": "Find", "direction": 1}, {"what": "", "direction": 2}])
def test_miopen_searching_or_differentiating_is_not_the_forward_pass(line) -> None:
    assert not miopen_log.parse(MIOPEN.format(groups=4, **line))


def test_a_gpus_library_proves_that_the_groups_were_kept() -> None:
    found = library_logs.parse(MIOPEN.format(what="", groups=4, direction=1) * 3)
    fusion = from_graphs([Node("Conv2D", (), 4)], BASE, found)
    assert (fusion["kernel"], fusion["source"]) == ("grouped", "miopen_log")
    assert fusion["ops"] == {"Conv2D": 1, "MIOpen:convolution[conv,g4]": 1}  # whatever it timed


def test_as_many_calls_as_groups_may_be_algorithms_that_are_timed() -> None:
    found = cudnn_log.parse(CUDNN.format(function="cudnnConvolutionForward", groups=1).replace("[2,16", "[2,4") * 4)
    assert len(found) == 4
    assert from_graphs([], BASE, found)["kernel"] == "unknown"


def test_what_is_printed_is_taken_and_standard_error_goes_on(capfd) -> None:
    evidence = Evidence()
    with library_logs.captured(evidence, (1, 2)):
        os.write(1, b"onednn_verbose,info,cpu,isa:Intel AVX2\n")
        os.write(1, ONEDNN["2.21.0"][0].encode())
        os.write(2, MIOPEN.format(what="", groups=4, direction=1).encode())
        sys.stderr.write("last words\n")
    out, err = capfd.readouterr()
    assert [one.library for one in evidence.primitives] == ["oneDNN", "MIOpen"]
    assert evidence.onednn_isa == "Intel AVX2"
    assert out == ""
    assert "LogCmdConvolution" in err
    assert "last words" in err


def test_cudnn_plan_of_a_graph_with_bias_and_relu_on_a_gpu() -> None:
    """One call, and its status."""
    text = (Path(__file__).parents[1] / "data" / "cudnn" / "2.21.0-graph-bias_relu-f32-nhwc.txt").read_text()
    (primitive,) = cudnn_plans.parse(text)
    assert primitive == Primitive("cuDNN", "cudnnBackendExecute", 4, 16, ("relu_fwd",))
    fusion = from_graphs([Node("_FusedConv2D", ("BiasAdd", "Relu"), 4)], BASE, [primitive])
    assert (fusion["kernel"], fusion["epilogue"], fusion["source"]) == ("grouped", "fused", "cudnn_log")


def cudnn_plan(*, groups: int, bias_relu: bool) -> str:
    """As cuDNN 9.19 logged it on an H100, for a convolution from 8 to 16 channels; groups and what follows are the
    case's, and tensors are shortened to what tells their sizes.
    """

    def tensor(name: str, sizes: str) -> str:
        return (
            f"i!                         {name}Desc: type=CUDNN_BACKEND_TENSOR_DESCRIPTOR:\n"
            "i!                             type: type=cudnnDataType_t; val=CUDNN_DATA_FLOAT (0);\n"
            "i!                             nbDims: type=int; val=4;\n"
            f"i!                             dimA: type=int; val=[{sizes}];\n"
        )

    def pointwise(mode: str, *, b: str = "", alpha2: int = 1) -> str:
        return (
            "i!                     operation: type=CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:\n"
            "i!                         pwDesc: type=CUDNN_BACKEND_POINTWISE_DESCRIPTOR:\n"
            f"i!                             mode: type=cudnnPointwiseMode_t; val=CUDNN_POINTWISE_{mode} (0);\n"
            f"{tensor('x', '2,16,9,7')}{tensor('b', b) if b else ''}{tensor('y', '2,16,9,7')}"
            "i!                         alpha1: type=double; val=1;\n"
            f"i!                         alpha2: type=double; val={alpha2};\n"
        )

    rest = pointwise("ADD", b="2,16,9,7", alpha2=0) + pointwise("ADD", b="1,16,1,1") + pointwise("RELU_FWD")
    return (
        "I! CuDNN (v91900 56) function cudnnBackendExecute() called:\n"
        "i!     handle: type=cudnnHandle_t:\n"
        "i!     executionPlan: type=CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:\n"
        "i!         engcfg: type=CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:\n"
        "i!             engine: type=CUDNN_BACKEND_ENGINE_DESCRIPTOR:\n"
        "i!                 opGraph: type=CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:\n"
        "i!                     operation: type=CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:\n"
        f"{tensor('x', '2,8,9,7')}{tensor('w', f'16,{8 // groups},3,3')}"
        "i!                         convDesc: type=CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:\n"
        "i!                             mode: type=cudnnConvolutionMode_t; val=CUDNN_CROSS_CORRELATION (1);\n"
        f"{tensor('y', '2,16,9,7')}{rest if bias_relu else ''}"
        "i!                 engine_id: type=int; val=11;\n"
        "i! Time: 2026-11-26T02:03:04.556739 (0d+0h+0m+0s since start)\n"
        "i! Process=459; Thread=459; GPU=0; Handle=0x133cd640; StreamId=(nil) (defaultStream).\n"
        "\n\n"
    )


CUDNN_STATUS = (
    "I! CuDNN (v91900 56) function cudnnBackendExecute() called:\n"
    "i!     status: type=cudnnStatus_t; val=CUDNN_STATUS_{};\n\n\n"
)


@pytest.mark.parametrize(("bias_relu", "post_ops"), [(False, ()), (True, ("relu_fwd",))])
def test_cudnn_plans(bias_relu, post_ops) -> None:
    text = cudnn_plan(groups=4, bias_relu=bias_relu) + CUDNN_STATUS.format("SUCCESS (0)")
    assert cudnn_plans.parse(text) == [Primitive("cuDNN", "cudnnBackendExecute", 4, 8, post_ops)]
    assert not cudnn_log.parse(text)


def test_a_plan_that_cudnn_could_not_execute_is_no_evidence() -> None:
    failed = cudnn_plan(groups=1, bias_relu=False) + CUDNN_STATUS.format("EXECUTION_FAILED (5000)")
    passed = cudnn_plan(groups=4, bias_relu=False) + CUDNN_STATUS.format("SUCCESS (0)")
    assert [one.groups for one in cudnn_plans.parse(passed + failed)] == [4]


def test_a_transposed_convolution_is_the_gradient_of_one() -> None:
    text = cudnn_plan(groups=4, bias_relu=False).replace("CONVOLUTION_FORWARD", "CONVOLUTION_BACKWARD_DATA")
    text = text.replace(" xDesc", " dxDesc").replace(" yDesc", " dyDesc")
    assert cudnn_plans.parse(text) == [Primitive("cuDNN", "cudnnBackendExecute", 4, 16)]
