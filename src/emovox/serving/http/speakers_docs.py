"""OpenAPI texts of the routes `/v1/speakers`."""

from __future__ import annotations

from typing import Any

from emovox.serving.http.api_docs import (
    ALWAYS,
    BUSY,
    FAULT,
    FULL,
    LEARNING_OFF,
    NO_SPEAKER,
    ORIGIN,
    PARAMETER,
    RECORDING,
    TOO_SLOW,
    UNADAPTED,
    UNAUTHORISED,
    answer,
    refusal,
)

_ANA = {
    "name": "ana",
    "model": "accurate",
    "sha256": "9f2c" * 16,
    "clips": 14,
    "seconds": 41.5,
    "labels": {"without a label": 11, "neutral": 3},
}
_READ = {400: PARAMETER, **ALWAYS, 403: LEARNING_OFF}
_BAD_NAME = refusal("the name is none of a speaker", "bad_speaker", "got the name 'a/b' for a speaker, expected …")
_BAD_FILE = refusal(
    "no clear speech, fewer than two clips, no such label, a damaged profile, or one of another model",
    "bad_speaker",
    "got 1 clips of speech, about 3 s each, expected at least 2: …",
)
_CHANGED = {
    400: PARAMETER,
    401: UNAUTHORISED,
    403: refusal("the service keeps no speakers, or a page of another origin", "learning_off", "this service keeps …"),
    409: refusal("as many speakers as a key may have", "too_many_speakers", "got one more than 100 speakers, …"),
    413: refusal("too many bytes or seconds", "too_large", "got more than 200 MB, which is the most; …"),
    422: _BAD_FILE,
    500: FAULT,
    501: refusal(UNADAPTED, "cannot_adapt", "model 'svm' cannot adapt; take one that was trained with adaptation …"),
    503: BUSY,
    507: FULL,
}
_PROFILE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "description": "a profile, as GET returns it"}
            }
        },
    }
}


def speaker_routes() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the OpenAPI texts by method and path below `/v1/speakers`."""
    texts: dict[tuple[str, str], dict[str, Any]] = {
        ("GET", ""): {
            "summary": "Speakers of this key",
            "responses": {200: answer("their summaries", {"speakers": [_ANA]}), **_READ},
        },
        ("GET", "/{name}"): {
            "summary": "What is kept of a speaker",
            "responses": {200: answer("the summary", _ANA), **_READ, 404: NO_SPEAKER, 422: _BAD_NAME},
        },
        ("POST", "/{name}"): {
            "summary": "Teach the voice of a speaker",
            "responses": {
                200: answer("the summary of all that is known now", _ANA),
                **_CHANGED,
                408: TOO_SLOW,
                415: refusal("no audio", "undecodable", "a.txt: got bytes that are not audio (…), expected wav, …"),
            },
            "openapi_extra": RECORDING,
        },
        ("DELETE", "/{name}"): {
            "summary": "Delete a speaker, for good",
            "status_code": 204,
            "responses": {204: {"description": "deleted"}, 400: PARAMETER, **ALWAYS, 403: ORIGIN, 404: NO_SPEAKER},
        },
        ("GET", "/{name}/profile"): {
            "summary": "The profile of a speaker, as a file",
            "responses": {
                200: {"description": "the profile", "content": {"application/octet-stream": {}}},
                **_READ,
                404: NO_SPEAKER,
                422: _BAD_NAME,
            },
        },
        ("PUT", "/{name}/profile"): {
            "summary": "Keep an exported profile",
            "responses": {200: answer("the summary", _ANA), **_CHANGED, 408: TOO_SLOW},
            "openapi_extra": _PROFILE,
        },
    }
    return {place: {"tags": ["speakers"], **text} for place, text in texts.items()}
