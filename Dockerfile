# One image for all five processes; which one it is, the command says (docker-compose.yml).
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /src

# Dependencies first, from the metadata alone: they change seldom, the code often. The texts that the metadata names are of
# no use here.
COPY protos/pyproject.toml protos/
COPY pyproject.toml ./
RUN mkdir protos/generated \
    && touch README.md protos/README.md \
    && /opt/venv/bin/pip install --quiet ./protos . \
    && /opt/venv/bin/pip uninstall --quiet --yes dealix-customer-ops dealix-customer-ops-protos

COPY protos/generated protos/generated
COPY services services
COPY gateway gateway
COPY customer_ops customer_ops
RUN /opt/venv/bin/pip install --quiet --no-deps ./protos . \
    && /opt/venv/bin/pip check

FROM python:3.11-slim-bookworm
RUN useradd --no-log-init --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin customer-ops
COPY --from=build /opt/venv /opt/venv
# Nothing is written but to the database and /tmp: the root file system is mounted read-only.
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
CMD ["python", "-m", "gateway"]
