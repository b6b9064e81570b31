"""What a person would write to time one layer, without the suite: prints a call's seconds, by the median of loops.

The layer is resnext50-56 of the speed suite, batch 1, forward, with bias and ReLU: a call of about a millisecond.
"""

import os
import statistics
import timeit

import numpy as np
import tensorflow as tf

WARM, CALLS, LOOPS = 50, 8, 25  # a loop lasts about 10 ms, as a sample of the suite does

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
took = timeit.repeat(lambda: layer(x), number=CALLS, repeat=LOOPS)
print(statistics.median(took) / CALLS)
