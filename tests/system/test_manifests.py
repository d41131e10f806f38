"""What an operator deploys: well-formed, and in agreement with the server and with each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped]  # its types are no part of the extra `dev`

from convolved_server.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
# The oldest with the sleep before SIGTERM, and the newest known here.
KUBERNETES_VERSIONS = ("1.30", kubernetes_validate.latest_version())
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
MANUAL = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def manifest(name: str) -> dict[str, Any]:
    (document,) = yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def composed() -> dict[str, Any]:
    document = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    service: dict[str, Any] = document["services"]["convolved"]
    return service


def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifest("deployment.yaml")["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    assert isinstance(only, dict)
    return only


def said(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"{pattern} is not there"
    return found[1]


def default(setting: str) -> Any:
    return Settings.model_fields[setting].default


def test_hadolint_has_nothing_to_say_about_the_dockerfile() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, DOCKER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", ["deployment.yaml", "disruption.yaml", "service.yaml"])
def test_a_manifest_is_what_kubernetes_takes(name: str, version: str) -> None:
    kubernetes_validate.validate(manifest(name), version, strict=True)


def test_the_check_of_manifests_refuses_a_field_that_kubernetes_does_not_know() -> None:
    wrong = manifest("deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSIONS[-1], strict=True)


def test_the_kustomization_holds_every_manifest_and_the_version_of_the_project() -> None:
    kustomization = manifest("kustomization.yaml")
    others = {path.name for path in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == others
    assert kustomization["images"] == [{"name": container()["image"], "newTag": VERSION}]


def test_service_and_disruption_budget_select_the_pods_of_the_deployment() -> None:
    deployment = manifest("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("disruption.yaml")["spec"]["selector"]["matchLabels"] == labels


def test_everybody_knows_the_port_on_which_the_image_listens() -> None:
    port = int(said(r"CONVOLVED_LISTEN=0\.0\.0\.0:(\d+)", DOCKERFILE))
    assert int(said(r"EXPOSE (\d+)", DOCKERFILE)) == port
    assert composed()["ports"] == [f"127.0.0.1:{port}:{port}"]
    (exposed,) = container()["ports"]
    assert exposed["containerPort"] == port
    (served,) = manifest("service.yaml")["spec"]["ports"]
    assert (served["port"], served["targetPort"]) == (port, exposed["name"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container()[probe]["grpc"]["port"] == port


def test_every_setting_that_is_deployed_is_one_of_the_server() -> None:
    image = set(re.findall(rf"\b{PREFIX}(\w+)=", DOCKERFILE))
    cluster = {entry["name"].removeprefix(PREFIX) for entry in container()["env"]}
    alone = {name.removeprefix(PREFIX) for name in composed()["environment"]}
    assert {name.lower() for name in image | cluster | alone} <= set(Settings.model_fields)


def test_nothing_is_killed_while_it_drains() -> None:
    (entry,) = (e for e in container()["env"] if e["name"] == "CONVOLVED_GRACE_SECONDS")
    grace = float(entry["value"])
    sleep = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod()["terminationGracePeriodSeconds"] >= sleep + grace + 5
    alone = composed()
    patience = float(alone["stop_grace_period"].removesuffix("s"))
    assert patience >= float(alone["environment"]["CONVOLVED_GRACE_SECONDS"]) + 5
    assert grace == default("grace_seconds")


def test_a_server_may_write_to_its_temporary_folder_and_nowhere_else() -> None:
    rights = container()["securityContext"]
    assert rights["readOnlyRootFilesystem"]
    assert not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    user = int(said(r"USER (\d+):\d+", DOCKERFILE))
    assert pod()["securityContext"]["runAsNonRoot"]
    assert pod()["securityContext"]["runAsUser"] == user != 0
    (mount,) = container()["volumeMounts"]
    folder = mount["mountPath"]
    assert {volume["name"] for volume in pod()["volumes"]} == {mount["name"]}
    alone = composed()
    assert (alone["read_only"], alone["cap_drop"]) == (True, ["ALL"])
    assert [entry.partition(":")[0] for entry in alone["tmpfs"]] == [folder]
    assert said(r"NUMBA_CACHE_DIR=(/tmp)/", DOCKERFILE.partition("\nFROM")[2]) == folder


def test_a_cluster_sets_no_variables_that_look_like_settings() -> None:
    assert pod()["enableServiceLinks"] is False


def test_compose_builds_the_image_of_this_project() -> None:
    alone = composed()
    assert alone["image"] == f"convolved:{VERSION}"
    assert said(r"--tag (\S+)", DOCKERFILE) == alone["image"]
    context = (DOCKER / alone["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / alone["build"]["dockerfile"]).exists()


def test_the_image_is_made_of_the_packages_and_of_nothing_else_in_the_project() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    packages = {path.partition("/")[0] for path in _packages()}
    assert kept >= packages | {"pyproject.toml", "README.md", "LICENSE"}
    for path in kept:
        assert (ROOT / path).exists(), path


def _packages() -> list[str]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    paths: list[str] = table["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return paths


def test_the_image_installs_what_a_server_needs_and_nothing_that_only_files_need() -> None:
    script = DOCKER / "requirements.py"
    done = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = {re.split(r"[^\w-]", line)[0] for line in done.stdout.splitlines()}
    assert names >= {"grpcio", "grpcio-health-checking", "numba", "numpy", "pyfftw", "typer"}
    assert not names & {"matplotlib", "scipy", "soundfile", "soxr", "convolved"}


def test_the_programs_of_the_image_can_be_run() -> None:
    for name in ("entrypoint.sh", "image-test.sh"):
        assert os.access(DOCKER / name, os.X_OK), name


def test_the_manual_tells_every_setting_and_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", MANUAL, re.MULTILINE))
    assert set(rows) == set(Settings.model_fields)
    for name, told in rows.items():
        if told.startswith("`"):
            stated = Settings.model_validate({name: told.strip("`")})
            assert getattr(stated, name) == default(name), name
        else:
            assert default(name) is None, name
