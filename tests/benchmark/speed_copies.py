"""In an environment with TensorFlow: time copies of one program at the points of the default depth, as the speed suite
does. `python speed_copies.py --process K APPROACH [POINT...]` prints the suite's stream.
"""

import sys

from suite.speed import layers, stream, work
from suite.speed.measure import BUDGET, Measurement

COPIES = ("copy-1", "copy-2", "copy-3", "copy-4", "copy-5", "again", "planted")


class Copies(work.Maker):
    def __init__(self, approach):
        super().__init__()
        self.approach = approach

    def __call__(self, point, variant):
        return super().__call__(point, self.approach)


def main():
    approach = sys.argv.pop(1)
    options = stream.options("speed_copies.py", __doc__)
    say = stream.reserve_standard_output()
    pinned = work.start(options.threads)
    measurement = Measurement(Copies(approach), work.explain, BUDGET, pinned, bases=(approach,))
    for point in stream.matching(layers.points(options.depth), options.points):
        for line in measurement.lines(point, layers.balanced((approach, *COPIES), options.process)):
            say(line)


main()
