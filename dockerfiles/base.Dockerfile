# A base where there is no registry: an interpreter of the host in /usr/local, as in the registry's python images, on
# a Debian that has the libraries which any CPython is linked with.
ARG DEBIAN
FROM ${DEBIAN}
COPY usr/ /usr/
ARG PYTHON
RUN ldconfig && "python${PYTHON}" -c "import bz2, ctypes, hashlib, lzma, sqlite3, ssl, zlib"
