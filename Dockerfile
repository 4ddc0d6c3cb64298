# Two stages: packages are built into a virtual environment, which alone moves on.
#   docker build -t convscope .                                     CPU
#   docker build -t convscope:cuda --build-arg 'EXTRAS=[cuda]' .      NVIDIA GPU: CUDA and cuDNN from PyPI
FROM docker.io/library/python:3.11-slim-bookworm AS build

ARG EXTRAS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/convscope
# Dependencies first: this layer is kept as long as pyproject.toml does not change.
COPY pyproject.toml README.md ./
RUN mkdir service training && touch service/__init__.py training/__init__.py \
    && /opt/convscope/bin/pip install ".${EXTRAS}"
COPY service service
COPY training training
RUN /opt/convscope/bin/pip install --no-deps --force-reinstall . \
    && find /opt/convscope -name __pycache__ -prune -exec rm -r {} +

FROM docker.io/library/python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin convscope
COPY --from=build /opt/convscope /opt/convscope
COPY docker/healthcheck.py /opt/convscope/healthcheck.py
COPY models /models
ENV PATH=/opt/convscope/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CONVSCOPE_HOST=0.0.0.0 \
    CONVSCOPE_PORT=8000 \
    CONVSCOPE_MODELS_DIR=/models
USER 10001
WORKDIR /models
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "/opt/convscope/healthcheck.py"]
ENTRYPOINT ["convscope"]
CMD ["serve"]
