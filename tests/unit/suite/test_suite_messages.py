"""Texts as TensorFlow raised them, release by release, paths and addresses included."""

from __future__ import annotations

import pytest
from suite.messages import LIMIT, describe, normalize

FUSED = "Fused conv implementation does not support grouped convolutions for now."
CONV2D = (
    "The Conv2D op currently does not support grouped convolutions on the CPU. A grouped convolution was attempted to "
    "be run because the input depth of 16 does not match the filter input depth of 4"
)
UNCOMPILED = "Detected unsupported operations when trying to compile graph {} on XLA_CPU_JIT: SparseTensorDenseMatMul"

RAISED = {
    "1.4.1 session": (
        (
            "Dimensions must be equal, but are 16 and 4 for 'Conv2D_3' (op: 'Conv2D') with input shapes: [2,9,9,16], "
            "[3,3,4,32]."
        ),
        (
            "Dimensions must be equal, but are 16 and 4 for 'Conv2D' (op: 'Conv2D') with input shapes: [2,9,9,16], "
            "[3,3,4,32]."
        ),
    ),
    "1.15.0 session": (
        (
            f"{FUSED}\n\t [[node Relu (defined at /opt/venv/lib/python3.7/site-packages/tensorflow_core/python/"
            "framework/ops.py:1748) ]]\n\nOriginal stack trace for 'Relu':\n"
            '  File "/usr/lib/python3.7/runpy.py", line 193, in _run_module_as_main\n    "__main__", mod_spec)\n'
        ),
        FUSED,
    ),
    "2.4.4 function": (
        f" {FUSED}\n\t [[node Relu (defined at /srv/probe.py:22) ]] [Op:__inference_f_11]\n\nFunction call stack:\nf\n",
        FUSED,
    ),
    "2.9.3 function": (
        (
            "Graph execution error:\n\nDetected at node 'Relu' defined at (most recent call last):\n"
            '    File "/srv/probe.py", line 23, in <module>\n'
            "      run('graph',tf.function(f,autograph=False),tf.constant(x))\n"
            '    File "/srv/probe.py", line 22, in f\n'
            "      y=tf.nn.conv2d(x,tf.constant(k),1,'SAME'); return tf.nn.relu(tf.nn.bias_add(y,tf.constant(b)))\n"
            f"Node: 'Relu'\n{FUSED}\n\t [[{{{{node Relu}}}}]] [Op:__inference_f_11]"
        ),
        FUSED,
    ),
    "2.15.1 function": (
        (
            "Graph execution error:\n\nDetected at node Relu defined at (most recent call last):\n"
            '  File "/srv/probe.py", line 23, in <module>\n\n  File "/srv/probe.py", line 22, in f\n\n'
            f"{FUSED}\n\t [[{{{{node Relu}}}}]] [Op:__inference_f_10]"
        ),
        FUSED,
    ),
    "2.15.1 eager": (
        (
            "{{function_node __wrapped__Conv2D_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            f"{CONV2D} [Op:Conv2D] name: "
        ),
        CONV2D,
    ),
    "2.8.4 Keras layer": (
        (
            'Exception encountered when calling layer "convolution" (type Conv3D).\n\nNumber of channels in filter (4) '
            "must match last dimension of input (16) [Op:Conv3D]\n\nCall arguments received:\n"
            "  • inputs=tf.Tensor(shape=(2, 9, 9, 9, 16), dtype=float32)"
        ),
        "Number of channels in filter (4) must match last dimension of input (16)",
    ),
    "2.9.3 XLA": (
        UNCOMPILED.format(
            "__inference_<lambda>_113[_XlaMustCompile=true,config_proto=15030321711957917209,"
            "executor_type=11160318154034397263]"
        )
        + " (No registered 'SparseTensorDenseMatMul' OpKernel for XLA_CPU_JIT devices compatible with node "
        "{{node gradients/ExtractImagePatches_grad/SparseTensorDenseMatMul/SparseTensorDenseMatMul}})"
        "{{node gradients/ExtractImagePatches_grad/SparseTensorDenseMatMul/SparseTensorDenseMatMul}}\n"
        'The op is created at: \nFile "srv/probe.py", line 8, in <module>\n  print(gradient())\n'
        'File "srv/probe.py", line 5, in gradient\n  return function(x) [Op:__inference_<lambda>_113]',
        UNCOMPILED.format("__inference_<lambda>")
        + " (No registered 'SparseTensorDenseMatMul' OpKernel for XLA_CPU_JIT devices compatible with node )",
    ),
    "2.9.3 fit": (
        (
            "Graph execution error:\n\nDetected at node 'gradient_tape/model/function_layer/Conv2DBackpropFilter' "
            "defined at (most recent call last):\n"
            '    File "/srv/probe.py", line 54, in <module>\n'
            "      model.fit(x, cotangent, batch_size=len(x), epochs=1, shuffle=False, verbose=0)\n"
            '    File "/srv/lib/keras/optimizers/optimizer_v2/optimizer_v2.py", line 537, in minimize\n'
            "      grads_and_vars = self._compute_gradients(\n"
            '    File "/srv/lib/keras/optimizers/optimizer_v2/optimizer_v2.py", line 471, in _get_gradients\n'
            "      grads = tape.gradient(loss, var_list, grad_loss)\n"
            "Node: 'gradient_tape/model/function_layer/Conv2DBackpropFilter'\n"
            "filter_size does not have enough elements, requested 4608, got 1152\n"
            "\t [[{{node gradient_tape/model/function_layer/Conv2DBackpropFilter}}]] "
            "[Op:__inference_train_function_254]"
        ),
        "filter_size does not have enough elements, requested 4608, got 1152",
    ),
    "1.0.1 session": (
        (
            'CPU BiasOp only supports NHWC.\n\t [[Node: BiasAdd = BiasAdd[T=DT_FLOAT, data_format="NCHW", '
            '_device="/job:localhost/replica:0/task:0/cpu:0"](transpose_4, Const_2)]]\n'
        ),
        "CPU BiasOp only supports NHWC.",
    ),
    "1.12.3 converter": (
        "TOCO failed see console for info.\nb'2026-11-23 09:32:15.727851: F tensorflow/contrib/lite/toco/a.cc",
        "TOCO failed see console for info. b'F tensorflow/contrib/lite/toco/a.cc",
    ),
    "2.5.3 predict": (
        (
            "in user code:\n\n    /srv/keras/engine/training.py:1564 predict_function  *\n"
            "        return step_function(self, iterator)\n"
            "    /srv/keras/engine/training.py:1554 step_function  **\n"
            "        outputs = model.distribute_strategy.run(run_step, args=(data,))\n"
            "    /srv/distribute/distribute_lib.py:1285 run\n"
            "        return self._extended.call_for_each_replica(fn, args=args, kwargs=kwargs)\n"
            "    /srv/keras/engine/input_spec.py:251 assert_input_compatibility\n        raise ValueError(\n\n"
            "    ValueError: Input 0 of layer convolution is incompatible with the layer\n"
        ),
        "ValueError: Input 0 of layer convolution is incompatible with the layer",
    ),
    "1.14.0 layer": (
        (
            "in converted code:\n    relative to /srv/tests:\n\n    suite/programs.py:168 call  *\n"
            "        return self.compute(x, self.held)\n    suite/programs.py:57 compute  *\n"
            "        return compute(x, held)\n\n    ValueError: Dimensions must be equal\n"
        ),
        "ValueError: Dimensions must be equal",
    ),
    "2.8.4 bfloat16": (
        (
            "No OpKernel was registered to support Op 'DepthwiseConv2dNativeBackpropInput' used by {{node d}} "
            'with these attrs: [padding="SAME", dilations=[1, 1, 1, 1], T=DT_BFLOAT16, _class=["loc:@depthwise"], '
            'data_format="NHWC", explicit_paddings=[]]\nRegistered devices: [CPU]\nRegistered kernels:\n'
        ),
        (
            "No OpKernel was registered to support Op 'DepthwiseConv2dNativeBackpropInput' used by with these attrs: "
            '[T=DT_BFLOAT16, _class=["loc:@depthwise"], data_format="NHWC", dilations=[1, 1, 1, 1], '
            'explicit_paddings=[], padding="SAME"] Registered devices: [CPU] Registered kernels:'
        ),
    ),
    "1.8.0 session": (
        (
            "No OpKernel was registered\n\t [[Node: d = D[T=DT_HALF, strides=[1, 1, 1, 1]](Placeholder, "
            "gradients/Shape_1, gradients/ReluGrad)]]"
        ),
        "No OpKernel was registered",
    ),
    "2.9.3 SavedModel": (
        (
            f"Graph execution error:\n\n<stack traces unavailable>\n{FUSED}\n"
            "\t [[{{node Relu}}]]\n\t [[{{node a}}{{node b}}]]"
        ),
        FUSED,
    ),
    "1.13.2 session": (
        "No OpKernel for Op 'Conv2D' used by node Conv2D (defined at /srv/tests/suite/a.py:50) with these attrs: [T=1]",
        "No OpKernel for Op 'Conv2D' used by node Conv2D with these attrs: [T=1]",
    ),
    "2.10.1 Keras layer": (
        'Input 0 of layer "convolution" is incompatible\n    \n    Call arguments received by layer "model" (type F):',
        'Input 0 of layer "convolution" is incompatible',
    ),
    "1.15.0 XLA": (UNCOMPILED.format("cluster_14309726818920568786[]"), UNCOMPILED.format("cluster")),
}


@pytest.mark.parametrize("release", RAISED)
def test_what_is_kept_is_the_status(release) -> None:
    raised, kept = RAISED[release]
    assert normalize(raised) == kept


@pytest.mark.parametrize("release", RAISED)
def test_what_is_kept_stays_as_it_is(release) -> None:
    kept = normalize(RAISED[release][0])
    assert normalize(kept) == kept


def test_names_of_operations_keep_their_digits() -> None:
    text = "No OpKernel was registered to support Op 'Conv2D' with [T=DT_HALF] for 'Relu6' and MatMul_v2"
    assert normalize(text) == text


def test_addresses_and_paths_are_dropped() -> None:
    text = "<keras.layers.Conv2D object at 0x7f22bb7463b0> cannot be read from /root/cache/model.h5"
    assert normalize(text) == "<keras.layers.Conv2D object at <address>> cannot be read from <path>"


def test_a_long_text_is_cut() -> None:
    assert describe(ValueError("word " * 200)) == {"type": "ValueError", "message": ("word " * 200)[:LIMIT].strip()}


def test_many_line_breaks_do_not_hold_it_up() -> None:
    """An expression that looks at each of them again from the next one would take hours, on any machine."""
    assert normalize("\n" * 1_000_000 + "text") == "text"
