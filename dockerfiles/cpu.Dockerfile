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
# Bytecode is compiled here, because the file system is read-only when the suite runs.
RUN . ./site.env \
    && ./uv venv --quiet --no-project --python "python${PYTHON}" /opt/target \
    && ./uv pip sync --quiet --no-cache --require-hashes --compile-bytecode --python /opt/target/bin/python lock.txt

FROM ${BASE}
COPY --from=install /opt/target /opt/target
