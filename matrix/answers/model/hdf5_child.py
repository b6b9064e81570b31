"""The program of hdf5.py's process: prints what is wanted of the file that it is given, as JSON."""

import json
import sys

MOST_BYTES, MOST_WEIGHTS = 8 * 2**20, 50000


def main(path, seconds, mebibytes):
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (mebibytes * 2**20, mebibytes * 2**20))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # Windows has no such limits
        pass
    try:
        import h5py
    except ImportError:
        return {"fault": "reading HDF5 needs the package h5py: pip install h5py"}
    try:
        with h5py.File(path, "r") as file:
            return look(h5py, file)
    except Exception as fault:
        return {"fault": "no HDF5 file that can be read: {}: {}".format(type(fault).__name__, fault)}


def look(h5py, file):
    if "model_config" not in file.attrs:
        return {"fault": "it holds weights and no description of a model: save the model, not its weights"}
    if file.attrs.get_id("model_config").get_storage_size() > MOST_BYTES:
        return {"fault": "its description is larger than {} MiB".format(MOST_BYTES // 2**20)}
    config = file.attrs["model_config"]
    config = config.decode("utf-8", "replace") if isinstance(config, bytes) else str(config)
    if len(config) > MOST_BYTES:
        return {"fault": "its description is larger than {} MiB".format(MOST_BYTES // 2**20)}
    weights, met = {}, set()
    waiting = [("", file)]
    while waiting and len(weights) < MOST_WEIGHTS and len(met) < MOST_WEIGHTS:
        path, group = waiting.pop()
        for name in group:
            # Soft and external links lead anywhere; a hard link may lead back.
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in met:
                continue
            met.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((path + "/" + name, item))
            elif isinstance(item, h5py.Dataset) and len(item.shape) <= 8:
                weights[path + "/" + name] = [int(size) for size in item.shape]
    return {"config": config, "weights": weights}


if __name__ == "__main__":
    sys.path = [place for place in sys.path if place]  # no module of the folder that the file lies in
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
