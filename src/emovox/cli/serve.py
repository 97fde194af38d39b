"""`emovox serve`: the HTTP and WebSocket service. Every setting but the keys is a flag."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from emovox.cli.console import say
from emovox.schema.extras import require
from emovox.schema.text import json_document

NEEDED = ("fastapi", "uvicorn", "websockets", "pydantic_settings", "python_multipart", "prometheus_client")

for _module in NEEDED:
    require(_module, need="emovox serve", extra="serve")

from emovox.serving.settings import Setting, masked, resolve_settings, settings_list  # noqa: E402 (needs the extra)

SECRET = frozenset({"keys"})
"""Settings without a flag: every user of the machine can read a command line."""


def serve(**flags: Any) -> None:
    """Serve recordings by HTTP and live audio by WebSocket.

    A flag comes before its environment variable (EMOVOX_SERVE_PORT for --port), the variable before the file of
    --config, and the file before the default. docs/service-reference.md describes all settings.
    """
    file: Path | None = flags.pop("config")
    show: bool = flags.pop("show_settings")
    given = {name: value for name, value in flags.items() if value is not None and value != []}
    settings = resolve_settings(given, file=file)
    if show:
        say(json_document(masked(settings)), nl=False, safe=True)
        return
    from emovox.serving.run import serve as run  # here, since it takes 0.6 s: the model runtime and the web framework

    run(settings, say=lambda text: say(text, err=True))


def _parameter(setting: Setting) -> inspect.Parameter:
    kind: Any = list[str] if setting.kind is tuple else setting.kind
    default = "" if setting.default in (None, (), False) else f" [default: {setting.default}]"
    choices = f" ({' | '.join(setting.choices)})" if setting.choices else ""
    flag = setting.name.replace("_", "-")
    name = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    option = typer.Option(
        name, help=f"{setting.help[0].upper()}{setting.help[1:]}{choices}.{default}", show_default=False
    )
    return _option(setting.name, Annotated[kind | None, option], None)


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _signature() -> inspect.Signature:
    config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings, named as the flags.")]
    show = Annotated[
        bool, typer.Option("--show-settings", help="Print the settings in force, with masked keys, and exit.")
    ]
    extra = [_option("config", config, None), _option("show_settings", show, False)]
    return inspect.Signature(
        [*(_parameter(setting) for setting in settings_list() if setting.name not in SECRET), *extra]
    )


# Typer reads the flags from the signature. Written by hand, forty lines would repeat the settings.
serve.__signature__ = _signature()  # type: ignore[attr-defined]
serve.__annotations__ = {name: parameter.annotation for name, parameter in _signature().parameters.items()}
