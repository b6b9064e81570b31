# As cpu.Dockerfile, and in /usr/local/cuda the libraries for a GPU that the wheels do not bring (before 2.15).
ARG BASE
# One of NVIDIA's development images; the base again where nothing is to be taken.
ARG TOOLKIT
FROM ${TOOLKIT} AS toolkit
ARG OWNER
LABEL tf-groupconv-matrix.owner=${OWNER}
# Shared libraries, and what XLA compiles with. The development image has gigabytes more that nothing here uses.
RUN mkdir -p /toolkit/lib64 /toolkit/bin /toolkit/nvvm \
    && find /usr -xdev -name '*.so*' \( -path '/usr/local/cuda*' -o -name 'libcudnn*' -o -name 'libcublas*' \) \
        ! -path '*/stubs/*' -exec cp -a -t /toolkit/lib64 {} + \
    && if [ -d /usr/local/cuda/nvvm/libdevice ]; then \
        cp -a /usr/local/cuda/nvvm/libdevice /toolkit/nvvm/ && cp -a /usr/local/cuda/bin/ptxas /toolkit/bin/; fi

FROM ${BASE} AS install
ARG OWNER
LABEL tf-groupconv-matrix.owner=${OWNER}
WORKDIR /build
COPY . .
ARG PYTHON
# uv's arguments that install the lock, the same as outside an image.
ARG INSTALL
# The file system is read-only when the suite runs, so bytecode is compiled now (uv's own compiler needs Python 3.7).
# What is not for this Python does not compile, and nothing imports it.
RUN . ./site.env \
    && ./uv venv --quiet --no-project --python "python${PYTHON}" /opt/target \
    && ./uv --no-cache ${INSTALL} \
    && { /opt/target/bin/python -m compileall -q -j 0 /opt/target/lib >/dev/null || true; }

FROM ${BASE}
COPY --from=install /opt/target /opt/target
COPY --from=toolkit /toolkit /usr/local/cuda
ENV LD_LIBRARY_PATH=/usr/local/cuda/lib64
# The loader is told of the libraries that the wheels bring: 2.21.0 looks for one of them in no folder of theirs.
RUN find /opt/target -type d -path '*/site-packages/nvidia/*/lib' > /etc/ld.so.conf.d/zz-wheels.conf && ldconfig
