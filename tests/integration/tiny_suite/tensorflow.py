"""Fake TensorFlow of the tiny project: imported at once, and of the version that its environment is named for."""

__version__ = "2.8.4"


class sysconfig:  # noqa: N801 - as TensorFlow names it
    @staticmethod
    def get_build_info():
        return {"is_cuda_build": False}
