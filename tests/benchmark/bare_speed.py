"""What a person would write to time one layer, without the suite: prints the median of a call's seconds.

The layer is resnext50-56 of the speed suite, batch 1, forward, with bias and ReLU: a call of about a millisecond.
"""

import os
import statistics
import time

import numpy as np
import tensorflow as tf

WARM, TIMED = 50, 200

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)

random = np.random.RandomState(1)
x = tf.constant(random.uniform(-1, 1, (1, 56, 56, 128)).astype(np.float32))
bias = tf.constant(random.uniform(-1, 1, 128).astype(np.float32))
kernel = tf.Variable(random.uniform(-1, 1, (3, 3, 4, 128)).astype(np.float32))


# The signature is the suite's, and part of what is called: with one TensorFlow checks the inputs in another way.
@tf.function(input_signature=[tf.TensorSpec(x.shape, x.dtype)], autograph=False)
def layer(x):
    return tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))


for _ in range(WARM):
    layer(x)
took = []
for _ in range(TIMED):
    began = time.perf_counter()
    layer(x)
    took.append(time.perf_counter() - began)
print(statistics.median(took))
