"""What OpenAPI says about each route: parameters, answers and examples."""

from __future__ import annotations

from typing import Any

import msgspec

from emovox.schema.result import Result

_ROW = {
    "model": {"name": "accurate", "version": "0.1.0"},
    "file": "call.wav",
    "duration": 3.41,
    "label": "angry",
    "confidence": 0.83,
    "scores": {
        "neutral": 0.02,
        "happy": 0.05,
        "sad": 0.03,
        "angry": 0.83,
        "fear": 0.04,
        "disgust": 0.02,
        "surprise": 0.01,
    },
    "shares": {"angry": 1.0},
    "warnings": [],
    "segments": [
        {
            "start": 0.31,
            "end": 2.9,
            "channel": 0,
            "label": "angry",
            "confidence": 0.83,
            "scores": {"neutral": 0.02, "angry": 0.83},
        }
    ],
}
_QUEUED = {"job": {"id": "mJ2pGsYhWkc1Zr0vQ8xTn4Bd", "status": "queued", "progress": 0.0}}
_RUNNING = {"job": {"id": "mJ2pGsYhWkc1Zr0vQ8xTn4Bd", "status": "running", "progress": 0.42}}
_FIGURE = {"corpus": "ravdess-7", "protocol": "si", "metric": "UAR", "value": 76.0, "low": 72.0, "high": 79.9}
_MODEL = {
    "name": "mobile",
    "version": "0.1.0",
    "default": True,
    "description": "Small network.",
    "labels": ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"],
    "licence": "CC-BY-NC-SA-4.0",
    "licence_risk": "non-commercial corpora",
    "parameters": 281865,
    "figures": [_FIGURE],
}


def _answer(description: str, example: Any, schema: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"example": example}
    if schema:
        body["schema"] = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": body}}


def _error(description: str, code: str, message: str) -> dict[str, Any]:
    return _answer(description, {"error": {"code": code, "message": message}}, "Error")


_UNAUTHORISED = _error("no key, or a wrong one", "unauthorised", "got no API key, expected one; …")
_NO_JOB = _error("no such job, or no more", "not_found", "got no job of this name, expected …")

EMOTIONS: dict[str, Any] = {
    "summary": "Emotions in a recording",
    "tags": ["recordings"],
    "responses": {
        200: _answer("the timeline, as of `emovox predict --format json`", _ROW, "Result"),
        202: _answer("a long recording: ask for the job named in `Location`", _QUEUED, "Job"),
        400: _error("not multipart, or a parameter out of range", "bad_request", "got content type '', expected …"),
        401: _UNAUTHORISED,
        408: _error("bytes come too slowly", "too_slow", "got 312 bytes in 10 s, expected 4000 a second; …"),
        413: _error("too many bytes or seconds", "too_large", "got more than 200 MB, which is the most; …"),
        415: _error("no audio", "undecodable", "a.txt: got bytes that are not audio (…), expected wav, flac, …"),
        422: _error("audio that cannot be used", "empty", "a.wav: got 0 samples, expected at least one; …"),
        503: _error("all places taken; see `Retry-After`", "busy", "18 uploads are at work or wait, …"),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {"file": {"type": "string", "format": "binary", "description": "the recording"}},
                    }
                }
            },
        }
    },
}

JOB: dict[str, Any] = {
    "summary": "How far a job is",
    "tags": ["recordings"],
    "responses": {
        200: _answer("the state; `result` or `error` once it has ended", _RUNNING, "Job"),
        401: _UNAUTHORISED,
        404: _NO_JOB,
    },
}

DELETE_JOB: dict[str, Any] = {
    "summary": "Cancel a job",
    "tags": ["recordings"],
    "status_code": 204,
    "responses": {204: {"description": "cancelled, or its result forgotten"}, 401: _UNAUTHORISED, 404: _NO_JOB},
}

MODELS: dict[str, Any] = {
    "summary": "Models, licences and figures",
    "tags": ["service"],
    "responses": {
        200: _answer("all models; the one that answers is `default`", {"models": [_MODEL]}),
        401: _UNAUTHORISED,
    },
}

_HEALTHY = {
    "status": "ok",
    "ready": True,
    "version": "0.1.0",
    "model": {"name": "mobile", "version": "0.1.0"},
    "streams": 3,
    "max_streams": 180,
}

HEALTH: dict[str, Any] = {
    "summary": "Is it ready?",
    "tags": ["service"],
    "responses": {200: _answer("ready", _HEALTHY), 503: {"description": "starting or ending"}},
}

METRICS: dict[str, Any] = {
    "summary": "Counters for Prometheus",
    "tags": ["service"],
    "responses": {200: {"description": "text format 0.0.4", "content": {"text/plain": {}}}, 401: _UNAUTHORISED},
}

DESCRIPTION = """Emotion in speech: recordings by HTTP, live audio by WebSocket (`/v1/stream`, described in
docs/service.md). A score says how a voice sounds compared with actors; it does not measure what a person feels.
Inferring the emotions of workers, applicants, pupils or students is prohibited in the EU."""


def schemas() -> dict[str, Any]:
    """Return the schemas that the routes name: `Result` with what it holds, `Job`, `Error`."""
    _, found = msgspec.json.schema_components([Result], ref_template="#/components/schemas/{name}")
    notice = {"$ref": "#/components/schemas/Notice"}
    found["Result"]["properties"]["model"] = {"type": "object", "properties": _strings("name", "version")}
    found["Error"] = {"type": "object", "required": ["error"], "properties": {"error": notice}}
    state = {"id": {"type": "string"}, "status": {"enum": ["queued", "running", "done", "failed"]}}
    state["progress"] = {"type": "number", "minimum": 0, "maximum": 1}
    found["Job"] = {
        "type": "object",
        "required": ["job"],
        "properties": {
            "job": {"type": "object", "required": list(state), "properties": state},
            "result": {"$ref": "#/components/schemas/Result"},
            "error": notice,
        },
    }
    return found


def _strings(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}
