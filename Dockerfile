# The one image of ours: web, loop, worker, beat and migrate are its commands. Servers come as images of their own.
FROM python:3.11-slim AS installed
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock
COPY . .
# Static files get names that never change meaning. The loop is compiled where it runs, for the processor it finds there.
ENV POLYTRADERS_STATIC_ROOT=/app/.static PYTHONPATH=/app
RUN python manage.py collectstatic --no-input

FROM python:3.11-slim
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin polytraders \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/polytraders
COPY --from=installed /venv /venv
COPY --from=installed /app /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app \
    POLYTRADERS_STATIC_ROOT=/app/.static POLYTRADERS_HOME=/var/lib/polytraders \
    POLYTRADERS_CACHE=/var/lib/polytraders/cache
USER 10001:10001
CMD ["python", "manage.py", "check"]
