"""Which answers of an S3 store mean this one object, and which mean the store."""

from pathlib import Path

import pytest
from minio.error import InvalidResponseError, S3Error
from pydantic import SecretStr

from ingest.s3_store import PROBE_KEY, S3Store
from ingest.settings import ObjectStoreSettings
from runtime.errors import InvalidInputError, UnavailableError

KEY = "clips/east/2026/11/05/one.mp4"


def answer(code: str) -> S3Error:
    return S3Error(None, code, "a message", None, None, None)  # type: ignore[arg-type]  # the part it uses


class Client:
    """Refuses files as told, and the small probe too when it refuses everything."""

    def __init__(self, refusal: Exception, *, refuses_all: bool) -> None:
        self._refusal = refusal
        self._refuses_all = refuses_all
        self.probed: list[str] = []

    def bucket_exists(self, _bucket: str) -> bool:
        return True

    def fput_object(self, *_args: object, **_fields: object) -> None:
        raise self._refusal

    def put_object(self, _bucket: str, key: str, *_args: object) -> None:
        self.probed.append(key)
        if self._refuses_all:
            raise self._refusal


def put(refusal: Exception, source: Path, *, refuses_all: bool = False) -> None:
    put_with(Client(refusal, refuses_all=refuses_all), source)


def put_with(client: Client, source: Path) -> None:
    store = S3Store(
        ObjectStoreSettings(
            s3_endpoint="store.invalid:9000", s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b")
        )
    )
    store._client = client  # type: ignore[assignment]  # the part it uses
    source.write_bytes(b"a clip")
    store.put_file(KEY, source, "video/mp4", "0" * 64)


@pytest.mark.parametrize(
    "refusal",
    [
        answer("EntityTooLarge"),
        answer("InvalidRequest"),
        answer("XMinioInvalidObjectName"),
        InvalidResponseError(413, "text/html", "<html>"),
        ValueError("object size is more than 5 TiB"),
    ],
)
def test_what_the_store_says_of_one_object_is_that_object_s_fault(refusal: Exception, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="never takes clips/east"):
        put(refusal, tmp_path / "clip")


def test_a_refusal_is_believed_once_the_store_has_taken_another_object(tmp_path: Path) -> None:
    client = Client(answer("InvalidRequest"), refuses_all=False)
    with pytest.raises(InvalidInputError):
        put_with(client, tmp_path / "clip")
    assert client.probed == [PROBE_KEY]


@pytest.mark.parametrize(
    "refusal", [answer("AccessDenied"), answer("NoSuchBucket"), answer("SlowDown"), InvalidResponseError(502, "", "")]
)
def test_what_every_object_would_hear_is_the_store_s_fault(refusal: Exception, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError):
        put(refusal, tmp_path / "clip")


def test_a_store_that_refuses_even_a_small_object_loses_no_clip(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="InvalidRequest"):
        put(answer("InvalidRequest"), tmp_path / "clip", refuses_all=True)
