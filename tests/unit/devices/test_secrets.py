"""Passwords at rest and their key file."""

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, MultiFernet
from hypothesis import given
from hypothesis import strategies as st

from devices.secrets import SecretBox, open_secret_box
from runtime.errors import ConfigurationError

BOX = SecretBox(MultiFernet([Fernet(Fernet.generate_key())]), Path("key"))


@given(st.text(max_size=256).filter(lambda text: text.isprintable()))
def test_what_was_sealed_is_unsealed(text: str) -> None:
    sealed = BOX.seal(text)
    assert BOX.unseal(sealed, "x") == text
    assert text == "" or len(text) < 4 or text not in sealed


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    sealed = open_secret_box(None, tmp_path).seal("word")
    path = tmp_path / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_secret_box(None, tmp_path).unseal(sealed, "x") == "word"
    assert [found.name for found in tmp_path.iterdir()] == ["secret.key"]


def test_all_who_make_the_key_at_once_use_the_same(tmp_path: Path) -> None:
    boxes = []
    gate = threading.Barrier(4)

    def open_one() -> None:
        gate.wait(5)
        boxes.append(open_secret_box(None, tmp_path))

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(boxes) == 4
    for box in boxes:
        assert boxes[0].unseal(box.seal("word"), "x") == "word"


def test_a_new_key_on_top_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    path = tmp_path / "key"
    path.write_bytes(old)
    sealed = open_secret_box(path, tmp_path).seal("word")
    path.write_bytes(new + b"\n" + old + b"\n")
    rotated = open_secret_box(path, tmp_path)
    assert rotated.unseal(sealed, "x") == "word"
    assert Fernet(new).decrypt(rotated.seal("word")) == b"word"


def test_another_key_is_named_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    sealed = open_secret_box(None, tmp_path / "a").seal("word")
    with pytest.raises(ConfigurationError, match=r"camera gate-1.*secret\.key"):
        open_secret_box(None, tmp_path / "b").unseal(sealed, "camera gate-1")
    with pytest.raises(ConfigurationError):
        open_secret_box(None, tmp_path / "a").unseal("garbage", "camera gate-1")


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff\xfe", b"A" * 43 + b"!", b"x" * 20_000])
def test_a_file_that_holds_no_key_is_refused_without_repeating_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="openssl rand") as caught:
        open_secret_box(path, tmp_path)
    assert "short" not in str(caught.value).replace(str(tmp_path), "")


def test_a_configured_key_file_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand"):
        open_secret_box(tmp_path / "missing", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        open_secret_box(None, tmp_path / "nowhere")
