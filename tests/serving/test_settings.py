"""Settings from flags, environment and file; the docs list all of them."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from emovox.serving.settings import ServiceSettings, SettingsError, all_keys, masked, resolve_settings, settings_list
from tests.commands import command

DOCS = Path(__file__).parents[2] / "docs" / "service-reference.md"


def test_flags_before_environment_before_file_before_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nhost = "0.0.0.0"\nmax_streams = 5\ncors = ["https://a.example"]\n')
    for name, value in {"SERVE_PORT": "2", "SERVE_MAX_STREAMS": "6", "CORPORA": "elsewhere"}.items():
        monkeypatch.setenv(f"EMOVOX_{name}", value)
    settings = resolve_settings({"port": 3}, file=file)
    assert (settings.port, settings.max_streams, settings.host, settings.workers) == (3, 6, "0.0.0.0", 1)
    assert settings.cors == ("https://a.example",)


def test_lists_and_truth_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_SERVE_CORS", "https://a.example, https://b.example")
    monkeypatch.setenv("EMOVOX_SERVE_OPEN_METRICS", "true")
    settings = resolve_settings({})
    assert (settings.cors, settings.open_metrics) == (("https://a.example", "https://b.example"), True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prt = 1", r"serve\.toml: got an unknown setting prt, expected one of host, port"),
        ("port = '1'", r"serve\.toml: port: got the text '1', expected int"),
        ("port = 70000", r"serve\.toml: port: got 70000, expected less than or equal to 65535"),
        ("log = 'xml'", r"serve\.toml: log: got 'xml', expected 'text' or 'json'"),
        ("keys = ['short']", r"serve\.toml: keys: got a key that is too short, string should have at least 16"),
        ("port =", r"serve\.toml: not valid TOML"),
    ],
)
def test_a_bad_file_names_itself_and_the_key(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "serve.toml").write_text(text)
    with pytest.raises(SettingsError, match=problem):
        resolve_settings({}, file=tmp_path / "serve.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no such file"):
        resolve_settings({}, file=tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"EMOVOX_SERVE_PROT": "1"}, "environment: got an unknown setting prot, expected one of host, port"),
        ({"EMOVOX_SERVE_PORT": "many"}, r"environment: port: got 'many', expected a valid integer"),
        ({"EMOVOX_SERVE_KEYS": ""}, "got an empty EMOVOX_SERVE_KEYS"),
        ({"EMOVOX_SERVE_KEYS": " , "}, "got an empty EMOVOX_SERVE_KEYS"),
        ({"EMOVOX_SERVE_SSL_KEY": "x"}, "got one of ssl_cert and ssl_key"),
    ],
)
def test_a_bad_variable(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=problem):
        resolve_settings({})


@pytest.mark.parametrize(
    "origin",
    ["nonsense", "https://a.org/", "a.org", "https://a.org,https://b.org", "https://A.org", "https://a.org:443", ""],
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"flags: cors: got '.*', expected an origin .*: scheme://host or"):
        resolve_settings({"cors": [origin]})


def test_origins() -> None:
    given = ["https://a.org", "http://localhost:8001", "http://[::1]:8000", "app://page", "*", "null"]
    assert resolve_settings({"cors": given}).cors == tuple(given)


@pytest.mark.parametrize("name", [setting.name for setting in settings_list() if setting.kind is float])
@pytest.mark.parametrize("value", [math.inf, math.nan, "inf", 1e300])
def test_no_time_and_no_size_is_endless(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"flags: {name}: got \S+, expected (a finite number|less than)"):
        resolve_settings({name: value})


def test_a_year_is_as_good_as_for_ever() -> None:
    flags = {setting.name: 31_536_000 for setting in settings_list() if setting.name.endswith("_seconds")}
    assert resolve_settings(flags).idle_seconds == 31_536_000


def test_keys_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text("correct-horse-battery\nanother-key-of-mine\n")
    monkeypatch.setenv("EMOVOX_SERVE_KEYS", "a key of the environment")
    settings = resolve_settings({"key_file": str(file)})
    assert all_keys(settings) == ("a key of the environment", "correct-horse-battery", "another-key-of-mine")
    file.write_text("short\n")
    with pytest.raises(SettingsError, match="16 characters or more each"):
        all_keys(settings)


def test_keys_are_never_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOVOX_SERVE_KEYS", "correct horse battery")
    command("serve", "--show-settings", "--port", "9000", "--cors", "https://a.example", "--open-metrics")
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (printed["port"], printed["keys"], printed["cors"]) == (9000, ["********"], ["https://a.example"])
    assert printed["open_metrics"]
    assert printed == masked(
        ServiceSettings(port=9000, keys=("correct horse battery",), cors=("https://a.example",), open_metrics=True)
    ) | {"cors": ["https://a.example"], "allowed_hosts": [], "models": []}


def test_every_setting_is_described_and_stands_in_the_docs() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \| (.*) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name: (default, help) for name, default, help in rows}
    assert len(list(settings_list())) >= 25
    for setting in settings_list():
        assert setting.help
        default, help = listed[setting.name]
        assert help == setting.help
        assert default.strip() == ("" if setting.default in (None, ()) else json.dumps(setting.default).strip('"'))
