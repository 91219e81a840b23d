# docker build --tag nexhealth-exporter .
ARG PYTHON=3.13-slim-trixie

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY constraints/build.txt constraints/runtime.txt constraints/
# Everything is pinned by version and hash, including the build tools.
RUN python -m venv /build \
 && /build/bin/pip install --no-deps --require-hashes --only-binary=:all: --requirement=constraints/build.txt \
 && python -m venv --without-pip /app \
 && /build/bin/pip --python=/app/bin/python install --no-compile --no-deps --require-hashes \
      --only-binary=:all: --requirement=constraints/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# Precompile everything that any command imports, including the standard library: the base image
# ships without bytecode, and a read-only root file system could not store it.
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir=/wheel . \
 && /build/bin/pip --python=/app/bin/python install --no-compile --no-deps --no-index /wheel/*.whl \
 && /app/bin/python -X pycache_prefix=/app/bytecode -c "import importlib, pkgutil, nexhealth_exporter as root; \
      [importlib.import_module(module.name) for module in pkgutil.walk_packages(root.__path__, 'nexhealth_exporter.') \
       if not module.name.endswith('.__main__')]" \
 && mkdir /state

FROM python:${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="nexhealth-exporter" \
      org.opencontainers.image.description="Prometheus exporter that reports whether offices' NexHealth syncs still run" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/app/bin:$PATH PYTHONPYCACHEPREFIX=/app/bytecode PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NEXHEALTH_REVISION=${REVISION}
COPY --from=build /app /app
# A new volume that is mounted here takes its owner from this folder.
COPY --from=build --chown=65532:65532 /state /var/lib/nexhealth-exporter
USER 65532:65532
WORKDIR /var/lib/nexhealth-exporter
EXPOSE 10639
# Any answer below 500 counts as healthy: with basic auth it is 401.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "from http.client import HTTPConnection as C; c = C('127.0.0.1', 10639, timeout=4); c.request('GET', '/-/healthy'); raise SystemExit(c.getresponse().status >= 500)"]
ENTRYPOINT ["nexhealth-exporter"]
CMD ["serve"]
