# The service on an NVIDIA Jetson, with TensorRT:
#     docker build -f docker/jetson.Dockerfile --build-arg ONNXRUNTIME=<wheel> -t emovox-jetson .
#     docker run --runtime nvidia … emovox-jetson
# ONNXRUNTIME is the address of a wheel of onnxruntime-gpu for aarch64, this Python and this CUDA; PyPI has none.
# It is linted. It has not been built and has not run: we had no Jetson.

FROM nvcr.io/nvidia/tensorrt:25.06-py3-igpu
ARG ONNXRUNTIME
WORKDIR /source
COPY pyproject.toml hatch_build.py README.md LICENSE constraints.txt ./
COPY src src
RUN test -n "$ONNXRUNTIME" \
    && python3 -m venv --system-site-packages /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[serve]' \
    && /venv/bin/pip uninstall --yes --quiet onnxruntime \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check "$ONNXRUNTIME" \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin emovox
COPY docker/healthcheck.py /
WORKDIR /
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    EMOVOX_DEVICE=tensorrt \
    EMOVOX_SERVE_HOST=0.0.0.0 \
    EMOVOX_SERVE_LOG=json
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/healthcheck.py"]
ENTRYPOINT ["emovox"]
CMD ["serve"]
