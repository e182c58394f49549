"""The `sharpeyes` command as a person runs it, to its end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.cache import find_program

QUICKLY_S = 30
"""Of a busy machine; a role that refuses takes two seconds on an idle one."""

Ended = subprocess.CompletedProcess[str]


def sharpeyes(
    data: Path, *words: str, settings: Mapping[str, object] | None = None, as_plain_user: bool = False
) -> Ended:
    """Run it with English words and ports that nobody uses, unless `settings` (names without prefix) say otherwise."""
    program = [str(Path(sys.executable).with_name("sharpeyes")), "--data", str(data), *words]
    if as_plain_user and os.geteuid() == 0:  # root may write everywhere; without this it may not
        lost = "=-dac_override,-dac_read_search"
        program = [find_program("setpriv"), f"--bounding-set{lost}", f"--inh-caps{lost}", "--", *program]
    ours = {"http_port": 0, "mqtt_listen_port": 0, "log_format": "json", "language": "en"}
    environment = {f"SHARPEYES_{name.upper()}": str(value) for name, value in {**ours, **(settings or {})}.items()}
    return subprocess.run(
        program, env={**os.environ, **environment}, capture_output=True, text=True, timeout=QUICKLY_S, check=False
    )


def refused(ended: Ended, *words: str) -> str:
    """The one line that a person sees, which holds these words; what the roles log in JSON stands beside it."""
    said = [line for line in (ended.stdout + ended.stderr).splitlines() if not line.startswith("{")]
    assert (ended.returncode, len(said)) == (2, 1), ended.stderr
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in said[0]
    return said[0]
