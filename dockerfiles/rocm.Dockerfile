# As cpu.Dockerfile, and in /opt/rocm the libraries for a GPU.
ARG BASE
# One of AMD's development images; the base again where nothing is to be taken.
ARG TOOLKIT
FROM ${TOOLKIT} AS toolkit
ARG OWNER
LABEL tf-groupconv-matrix.owner=${OWNER}
# With the system's libraries that ROCm's own are linked with, and a base of Debian has not. Without AMD's image HIP is
# the base's own; TensorFlow opens it at its first operation, by a name that Debian gives it in the -dev package alone.
RUN mkdir -p /toolkit/lib \
    && if [ -d /opt/rocm ]; then cp -aL /opt/rocm/. /toolkit/ \
        && find /usr/lib -name 'libnuma.so*' -o -name 'libdrm*.so*' -o -name 'libelf*.so*' | xargs cp -a -t /toolkit/lib; \
    else ln -s "$(ls /usr/lib/x86_64-linux-gnu/libamdhip64.so.? | tail -1)" /toolkit/lib/libamdhip64.so; fi

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
COPY --from=toolkit /toolkit /opt/rocm
ENV LD_LIBRARY_PATH=/opt/rocm/lib
