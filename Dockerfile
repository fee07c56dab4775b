# One image for web, worker, beat and migrations; docker-compose.yml says which. Runs as nobody in particular, and with
# a read-only root file system: all it writes goes to /data and /tmp.
FROM python:3.11-slim AS environment
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements/base.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    STATIC_ROOT=/app/staticfiles
RUN groupadd --system --gid 10001 crm \
    && useradd --system --uid 10001 --gid crm --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin crm \
    && install --directory --owner crm --group crm --mode 700 /data
COPY --from=environment /venv /venv
WORKDIR /app
COPY manage.py pyproject.toml ./
COPY insightarc_crm insightarc_crm
COPY signals_app signals_app
COPY templates templates
# The files of the admin, compressed once here. This needs settings but no secret: what it generates is thrown away.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /tmp/build
USER crm
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/livez', timeout=4)"]
CMD ["python", "manage.py", "run", "--host", "0.0.0.0"]
