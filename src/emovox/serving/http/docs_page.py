"""The page `/docs`: every route with its parameters, answers and examples, made from OpenAPI without a script.

FastAPI's own page loads its scripts from the net, which this service never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from emovox.schema.text import json_document

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1c2430; background: #fff; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #c8ced8; } h2 span { font-weight: 700; color: #0b57a4; }
table { border-collapse: collapse; } td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top; }
pre { background: #f2f4f8; padding: .8rem; overflow: auto; font-size: .85rem; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ee; background: #14181f; } h2 span, a { color: #8ec2ff; } pre { background: #1f2530; }
}
"""


def page(document: dict[str, Any]) -> str:
    """Write the page of an OpenAPI document."""
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
    for method, told in methods.items():
        yield f"<h2><span>{method.upper()}</span> {escape(path)}</h2><p>{escape(told.get('description', ''))}</p>"
        rows = [
            [parameter["name"], parameter["in"], parameter.get("description", "")]
            for parameter in told.get("parameters", ())
        ]
        if "requestBody" in told:
            rows.append(["file", "multipart/form-data", "the recording"])
        if rows:
            yield _table(["parameter", "where", "what"], rows)
        answers = [[status, answer["description"]] for status, answer in told["responses"].items()]
        yield _table(["status", "when"], answers)
        for status, answer in told["responses"].items():
            example = answer.get("content", {}).get("application/json", {}).get("example")
            if example is not None and status < "400":
                yield f"<p>{status}:</p><pre>{escape(json_document(example))}</pre>"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [f"<tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f"<table>{''.join(lines)}</table>"
