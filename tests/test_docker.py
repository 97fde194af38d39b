"""The Dockerfiles are linted, and docker/compose.yaml is compared with what it names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from emovox.serving.settings import PREFIX, ServiceSettings

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "Dockerfile", *sorted(DOCKER.glob("*.Dockerfile"))]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
class TestDockerfiles:
    def test_hadolint_finds_nothing(self, path: Path) -> None:
        tool = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
        if tool is None:
            pytest.skip("needs hadolint")
        done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def test_what_is_copied_is_not_ignored(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"}
        copied = {
            name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for name in line.split()
        }
        assert copied
        assert copied <= allowed
        assert all((ROOT / name).exists() for name in copied)

    def test_it_does_not_run_as_root(self, path: Path) -> None:
        users = re.findall(r"^USER (\S+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert users
        assert users[-1] not in ("root", "0")


class TestCompose:
    @pytest.fixture
    def services(self) -> dict[str, dict[str, object]]:
        services: dict[str, dict[str, object]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
        return services

    def test_settings_of_the_service_exist(self, services: dict[str, dict[str, object]]) -> None:
        environment = services["emovox"]["environment"]
        assert isinstance(environment, dict)
        named = {name.removeprefix(PREFIX).lower() for name in environment}
        assert named <= set(ServiceSettings.model_fields)

    def test_files_exist_and_what_is_replaced_stands_in_them(self, services: dict[str, dict[str, object]]) -> None:
        volumes = services["nginx"]["volumes"]
        assert isinstance(volumes, list)
        assert all((DOCKER / source).is_file() for source in (v.split(":")[0] for v in volumes) if "tls/" not in source)
        replaced = re.findall(r"'s/\^?([^/]+)/", str(services["nginx"]["command"]))
        text = (DOCKER / "nginx.conf").read_text()
        assert replaced == ["server 127.0.0.1:8000", "user www-data"]
        assert all(text.count(part) == 1 for part in replaced)

    def test_only_the_edge_is_reached_from_outside(self, services: dict[str, dict[str, object]]) -> None:
        assert "ports" not in services["emovox"]
        assert services["emovox"]["networks"] == ["inside"]
        assert services["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
