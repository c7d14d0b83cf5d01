# The site only: no OpenCV, ONNX Runtime or SciPy, no build tools, no root.
FROM python:3.11-slim

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

RUN useradd --system --uid 10001 --home-dir /srv/xfv --shell /usr/sbin/nologin xfv
WORKDIR /srv/xfv

COPY requirements.txt .
RUN pip install --requirement requirements.txt

COPY wsgi.py gunicorn.conf.py ./
COPY app app
COPY compute compute
COPY migrations migrations
COPY static static
COPY templates templates

USER xfv
ENV PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
CMD ["gunicorn", "wsgi:app"]
