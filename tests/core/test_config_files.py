"""What is wrong with one target's encrypted file hides nothing of another's."""

from __future__ import annotations

from typing import Any

from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.wiring import config_files
from tests import handbook


class Files:
    """Files of which one meets an unexpected error."""

    async def digest(self, spec: ConfigsRotateSpec) -> str:
        raise NotImplementedError

    async def decrypt(self, spec: ConfigsRotateSpec) -> Any:
        raise NotImplementedError

    def problems(self, spec: ConfigsRotateSpec) -> list[tuple[str, str]]:
        if "broken" in spec.encrypted_file:
            raise KeyError("hunter2")
        return [("Another problem.", "")]


def test_an_unexpected_error_is_one_targets_problem_without_its_text() -> None:
    specs = [{"encrypted_file": f"/configs/{name}.yaml", "key_file": "/age/key"} for name in ("broken", "other")]
    targets = [handbook.target(configs_rotate=spec) for spec in specs]
    (_, broken), (_, other) = config_files.problems(targets, Files())
    assert other == [("Another problem.", "")]
    [(said, remedy)] = broken
    assert said == "/configs/broken.yaml could not be checked: unexpected KeyError."
    assert "hunter2" not in remedy
