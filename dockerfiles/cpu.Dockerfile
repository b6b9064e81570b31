# A target: the packages of its lock in /opt/target, on a base that has pythonX.Y on its PATH.
# What only the installation needs (uv, the lock, the site's certificates and proxies) stays in the first stage, of
# which nothing is kept. No BuildKit syntax: an Engine without buildx builds this as well.
ARG BASE
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
