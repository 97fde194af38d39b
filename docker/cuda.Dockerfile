# The service on an NVIDIA GPU: docker build -f docker/cuda.Dockerfile -t emovox-cuda . && docker run --gpus all … emovox-cuda
# It is linted and has not been built by us: the base is pulled from a registry that the checks do not reach.

FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE constraints.txt ./
COPY src src
# onnxruntime-gpu replaces onnxruntime: both have the same module.
RUN python3 -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[serve]' \
    && /venv/bin/pip uninstall --yes --quiet onnxruntime \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check "onnxruntime-gpu>=1.20,<2" \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin emovox
COPY docker/healthcheck.py /
WORKDIR /
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    EMOVOX_DEVICE=cuda \
    EMOVOX_SERVE_HOST=0.0.0.0 \
    EMOVOX_SERVE_LOG=json
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "/healthcheck.py"]
ENTRYPOINT ["emovox"]
CMD ["serve"]
