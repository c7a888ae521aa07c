# A small, rootless image of `limner serve`, without torch and without compilers: docs/how-to/container.md.
#
# Tags move. To build the same image again, pin both by what they are today:
#   docker buildx imagetools inspect python:3.11-slim       prints  Digest: sha256:...
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:... --build-arg NODE_IMAGE=node:22-slim@sha256:... .
ARG PYTHON_IMAGE=python:3.11-slim
ARG NODE_IMAGE=node:22-slim

# The page: scripts of packages are not run, and nothing but the built files leaves this stage.
FROM ${NODE_IMAGE} AS page
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY web/ ./
RUN npm run build

# The wheel, and an environment that holds it and what is locked: every file is checked against its hash.
FROM ${PYTHON_IMAGE} AS install
WORKDIR /build
COPY requirements/build.txt requirements/server.txt requirements/
RUN python -m venv /opt/limner \
 && /opt/limner/bin/python -m pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/server.txt \
 && python -m pip install --no-cache-dir --require-hashes --only-binary=:all: -r requirements/build.txt
COPY pyproject.toml build_hook.py README.md LICENSE ./
COPY src/ src/
COPY --from=page /build/src/limner/server/static/ src/limner/server/static/
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/limner/bin/python -m pip install --no-cache-dir --no-deps dist/*.whl \
 && /opt/limner/bin/python -m pip check \
 && /opt/limner/bin/python -m pip uninstall --yes setuptools pip

# What runs: the environment, a user without rights, nothing else.
FROM ${PYTHON_IMAGE}
COPY --from=install /opt/limner /opt/limner
ENV PATH=/opt/limner/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["limner", "serve", "/model", "--host", "0.0.0.0", "--port", "8000", "--token", "file:/run/secrets/token"]
