"""OpenAPI texts of each route, its parameters, answers and examples, and the page `/docs` made from them.

FastAPI's page loads its scripts from the net, which this service never does; `/docs` needs no script.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec

from emovox.schema.result import Result
from emovox.schema.text import json_document

_SCORES = {
    "neutral": 0.02,
    "happy": 0.05,
    "sad": 0.03,
    "angry": 0.83,
    "fear": 0.04,
    "disgust": 0.02,
    "surprise": 0.01,
}
_ROW = {
    "model": {"name": "accurate", "version": "1.0.0"},
    "file": "call.wav",
    "duration": 3.41,
    "label": "angry",
    "confidence": 0.83,
    "scores": _SCORES,
    "shares": {"angry": 1.0},
    "warnings": [],
    "segments": [
        {
            "start": 0.31,
            "end": 2.9,
            "channel": 0,
            "label": "angry",
            "confidence": 0.83,
            "scores": _SCORES,
        }
    ],
}
_QUEUED = {"job": {"id": "mJ2pGsYhWkc1Zr0vQ8xTn4Bd", "status": "queued", "progress": 0.0}}
_RUNNING = {"job": {"id": "mJ2pGsYhWkc1Zr0vQ8xTn4Bd", "status": "running", "progress": 0.42}}


def answer(description: str, example: Any, schema: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI text of an answer with a JSON body."""
    body: dict[str, Any] = {"example": example}
    if schema:
        body["schema"] = {"$ref": f"#/components/schemas/{schema}"}
    return {"description": description, "content": {"application/json": body}}


def refusal(description: str, code: str, message: str) -> dict[str, Any]:
    """Return the OpenAPI text of an error."""
    return answer(description, {"error": {"code": code, "message": message}}, "Error")


UNAUTHORISED = refusal("no key, or a wrong one", "unauthorised", "got no API key, expected one; …")
_HOST = refusal(
    "a host that `allowed_hosts` does not name", "forbidden_host", "got a request for the host …, expected …"
)
ORIGIN = refusal(
    "a page of another origin, or a host that `allowed_hosts` does not name",
    "forbidden_origin",
    "got a request from a page of …, expected one of this service; …",
)
PARAMETER = refusal("a query parameter", "bad_request", "got a query parameter 'wait', expected none; see /docs")
FAULT = refusal("a fault of the service", "internal", "the service has a fault; its log has the details, try again")
ALWAYS = {401: UNAUTHORISED, 403: _HOST, 500: FAULT}
"""Answers that every route with a key may give."""

_NO_JOB = refusal("no such job, or no more", "not_found", "got no job of this name, expected …")

FULL = refusal("the disk of the service is full", "full", "the disk of the service is full; try again later, …")
BUSY = refusal("all places taken, or the service ends; see `Retry-After`", "busy", "18 uploads are at work or wait, …")
TOO_SLOW = refusal("bytes come too slowly", "too_slow", "got 312 bytes in 10 s, expected 4000 a second; …")
LEARNING_OFF = refusal("the service keeps no speakers", "learning_off", "this service keeps no speakers; …")
NO_SPEAKER = refusal("no such speaker", "unknown_speaker", "no speaker 'bo' in this service, expected one of ana; …")
UNADAPTED = "webm or m4a, and the service cannot read them; or its model cannot adapt"
_UNABLE = f"{UNADAPTED}; or it has no networks for a modality"


def _form(**others: str) -> dict[str, Any]:
    """Return the OpenAPI text of a form with a recording and perhaps other files, by name with their descriptions."""
    files = {"file": "the recording"} | others
    parts = {name: {"type": "string", "format": "binary", "description": what} for name, what in files.items()}
    schema = {"type": "object", "required": ["file"], "properties": parts}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


RECORDING = _form()
"""The body of a request with a recording."""

EMOTIONS: dict[str, Any] = {
    "summary": "Emotions in a recording",
    "tags": ["recordings"],
    "responses": {
        200: answer("the timeline, as of `emovox predict --format json`", _ROW, "Result"),
        202: answer("a long recording: ask for the job named in `Location`", _QUEUED, "Job"),
        400: refusal(
            "not multipart, or a parameter that is unknown or out of range",
            "bad_request",
            "got a query parameter 'chanels', expected channels or threshold or model; see /docs",
        ),
        401: UNAUTHORISED,
        403: ORIGIN,
        404: NO_SPEAKER,
        408: TOO_SLOW,
        413: refusal("too many bytes or seconds", "too_large", "got more than 200 MB, which is the most; …"),
        415: refusal("no audio", "undecodable", "a.txt: got bytes that are not audio (…), expected wav, flac, …"),
        422: refusal("audio that cannot be used, or no transcript", "empty", "a.wav: got 0 samples, …"),
        500: FAULT,
        501: refusal(_UNABLE, "missing_extra", "… pip install 'emovox[media]'"),
        503: BUSY,
        507: FULL,
    },
    "openapi_extra": _form(transcript="what is said in it: .srt, .vtt, .json, .TextGrid or .ctm, up to 2 MB"),
}

JOB: dict[str, Any] = {
    "summary": "How far a job is",
    "tags": ["recordings"],
    "responses": {
        200: answer("the state; `result` or `error` once it has ended", _RUNNING, "Job"),
        400: PARAMETER,
        **ALWAYS,
        404: _NO_JOB,
    },
}

DELETE_JOB: dict[str, Any] = {
    "summary": "Cancel a job",
    "tags": ["recordings"],
    "status_code": 204,
    "responses": {
        204: {"description": "cancelled, or its result forgotten"},
        400: PARAMETER,
        **ALWAYS,
        403: ORIGIN,
        404: _NO_JOB,
    },
}


def models(example: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI texts of `/v1/models`.

    Args:
        example: one entry of its list.
    """
    return {
        "summary": "Models, licences and figures",
        "tags": ["service"],
        "responses": {
            200: answer("all models; the one that answers is `default`", {"models": [example]}),
            **ALWAYS,
        },
    }


_HEALTHY = {
    "status": "ok",
    "ready": True,
    "version": "1.0.0",
    "model": {"name": "mobile", "version": "1.0.0"},
    "streams": 3,
    "max_streams": 180,
}

HEALTH: dict[str, Any] = {
    "summary": "Is it ready?",
    "tags": ["service"],
    "responses": {200: answer("ready", _HEALTHY), 403: _HOST, 500: FAULT, 503: {"description": "ending"}},
}

METRICS: dict[str, Any] = {
    "summary": "Counters for Prometheus",
    "tags": ["service"],
    "responses": {200: {"description": "text format 0.0.4", "content": {"text/plain": {}}}, **ALWAYS},
}

DESCRIPTION = """Emotion in speech: recordings by HTTP, live audio by WebSocket. A score says how a voice sounds
compared with actors; it does not measure what a person feels. Inferring the emotions of workers, applicants, pupils or
students is prohibited in the EU.

Live audio: open the WebSocket `/v1/stream` and send
`{"type": "session.start", "sample_rate": 16000, "encoding": "s16le", "channels": 1}` as text. `sample_rate` is 8000 to
48000 Hz, `encoding` s16le, f32le, mulaw or alaw, `channels` 1 or 2 (interleaved); `threshold`, `coverage` (percent:
sets of labels), `hop` (seconds between updates), `key`, `adapt` (true: learn the voice of the call) and `speaker` (one
that the key has taught) may be given. Then send audio as binary frames of about 0.1 s, and at the end `{"type":
"session.end"}`.

The service answers with text, all times in seconds from the first sample: `session.started` with the settings in force;
`speech.started` (`utterance`, `channel`, `start`); `emotion.updated`, a preview during speech (`start`, `end`,
`label`, `confidence`, `scores`); `speech.ended`, the verdict, with its `segments`, and with `adapted` and
`plain_scores` if the scores are adapted; `session.ended`; or `error` with `code` and `message`. Where the model hears
another sound than speech, `label` is null and `code` is not_speech. It closes with 1000, at its shutdown with 1001,
after an error with 4000 + the HTTP status of the error."""

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1c2430; background: #fff; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #c8ced8; } h2 span { font-weight: 700; color: #0b57a4; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
pre { background: #f2f4f8; padding: .8rem; overflow: auto; font-size: .85rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ee; background: #14181f; } h2 span, a { color: #8ec2ff; } pre { background: #1f2530; }
}
"""


def schemas() -> dict[str, Any]:
    """Return the schemas that the routes refer to: `Result` with its parts, `Job`, `Error`."""
    _, components = msgspec.json.schema_components([Result], ref_template="#/components/schemas/{name}")
    notice = {"$ref": "#/components/schemas/Notice"}
    components["Result"]["properties"]["model"] = {"type": "object", "properties": _strings("name", "version")}
    components["Error"] = {"type": "object", "required": ["error"], "properties": {"error": notice}}
    state = {"id": {"type": "string"}, "status": {"enum": ["queued", "running", "done", "failed"]}}
    state["progress"] = {"type": "number", "minimum": 0, "maximum": 1}
    components["Job"] = {
        "type": "object",
        "required": ["job"],
        "properties": {
            "job": {"type": "object", "required": list(state), "properties": state},
            "result": {"$ref": "#/components/schemas/Result"},
            "error": notice,
        },
    }
    return components


def _strings(*names: str) -> dict[str, Any]:
    return {name: {"type": "string"} for name in names}


def docs_page(document: dict[str, Any]) -> str:
    """Return the HTML of `/docs` for an OpenAPI document."""
    info = document["info"]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escape(info["title"])}</title><link rel="stylesheet" href="/docs/style.css"></head><body>',
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in info["description"].split("\n\n")),
        '<p>For programs: <a href="/openapi.json">/openapi.json</a></p>',
        *(part for path, methods in document["paths"].items() for part in _route(path, methods)),
        "</body></html>",
    ]
    return "\n".join(parts)


def _route(path: str, methods: dict[str, Any]) -> Iterator[str]:
    for method, operation in methods.items():
        yield f"<h2><span>{method.upper()}</span> {escape(path)}</h2><p>{escape(operation.get('description', ''))}</p>"
        rows = [
            [parameter["name"], parameter["in"], parameter.get("description", "")]
            for parameter in operation.get("parameters", ())
        ]
        if "requestBody" in operation:
            ((kind, body),) = operation["requestBody"]["content"].items()
            fields = body["schema"].get("properties", {"body": body["schema"]})
            rows += [[name, kind, field["description"]] for name, field in fields.items()]
        if rows:
            yield _table(["parameter", "where", "what"], rows)
        answers = [[status, answer["description"]] for status, answer in operation["responses"].items()]
        yield _table(["status", "when"], answers)
        for status, answer in operation["responses"].items():
            example = answer.get("content", {}).get("application/json", {}).get("example")
            if example is not None and status < "400":
                yield f"<p>{status}:</p><pre>{escape(json_document(example))}</pre>"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
