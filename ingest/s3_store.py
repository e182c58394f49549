"""The object store on MinIO or any other S3. The sha256 is kept as user metadata of the object.

Calls block on the network, each at most a minute or so; many threads may call. The bucket is made when it is
absent. Raises `UnavailableError` when the store is away or refuses, in words without keys, `NotFoundError` for a
missing key, `InvalidInputError` for a key or an object that the store takes never, `ConfigurationError` for settings
that cannot work.
"""

import io
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from ingest.object_key import check_key, check_prefix
from ingest.object_store import StoredObject
from ingest.settings import ObjectStoreSettings
from runtime.errors import ConfigurationError, InvalidInputError, NotFoundError, UnavailableError
from runtime.language import say

if TYPE_CHECKING:
    from minio.helpers import DictType

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 15.0
"""For each wait on the socket, not for the whole object."""

PART_BYTES = 16 << 20
"""Of a multi-part upload; one part at a time is held in memory."""

COPY_BYTES = 1 << 20
SHA256_HEADER = "x-amz-meta-sha256"

_MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_REFUSED_FOR_GOOD = frozenset(
    {
        "EntityTooLarge",
        "EntityTooSmall",
        "InvalidArgument",
        "InvalidRequest",
        "KeyTooLongError",
        "MetadataTooLarge",
        "XMinioInvalidObjectName",
        "XMinioObjectExistsAsDirectory",
        "XMinioParentIsObject",
    }
)
"""The same object would be refused again, however often it is sent."""

PROBE_KEY = "probe/object.txt"
HTTP_TOO_LARGE = 413
"""What a proxy in front of the store says of a body above its own limit."""

_TOO_LARGE = frozenset({"EntityTooLarge", str(HTTP_TOO_LARGE)})
_OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class S3Store:
    """Implements `ingest.object_store.ObjectStore` on one bucket. Nothing is sent before the first call."""

    def __init__(self, settings: ObjectStoreSettings) -> None:
        self._endpoint = settings.s3_endpoint or ""
        self._bucket = settings.s3_bucket
        self._client = _client(settings)
        self._bucket_lock = threading.Lock()
        self._bucket_is_there = False

    def check(self) -> None:
        """Raise UnavailableError unless the store answers and takes our keys; makes the bucket."""
        with self._errors():
            self._bucket_is_there = False
            self._make_bucket()

    def put_file(self, key: str, source: Path, content_type: str, sha256: str) -> None:
        check_key(key)
        if not source.is_file():
            raise NotFoundError(say(zh=f"{source}：没有这个文件", en=f"{source}: there is no such file to store"))
        metadata: DictType = {"sha256": sha256}
        with self._errors():
            self._make_bucket()
        with self._errors(key), self._refusals(key):
            self._client.fput_object(
                self._bucket,
                key,
                str(source),
                content_type,
                metadata,
                part_size=PART_BYTES,
                num_parallel_uploads=1,
            )

    def stat(self, key: str) -> StoredObject:
        check_key(key)
        with self._errors(key):
            found = self._client.stat_object(self._bucket, key)
        kept = found.metadata or {}
        return StoredObject(key, found.size or 0, found.content_type or "", kept.get(SHA256_HEADER, ""))

    def fetch(self, key: str, target: Path) -> None:
        """Copy the object to `target`, replacing it whole."""
        check_key(key)
        arriving = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        try:
            with self._errors(key):
                self._download(key, arriving)
            arriving.replace(target)
        except OSError as error:
            raise UnavailableError(
                say(
                    zh=f"{target} 无法写入：{error.strerror or error}",
                    en=f"{target} cannot be written: {error.strerror or error}",
                )
            ) from None
        finally:
            arriving.unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Remove the object; NotFoundError when there is none."""
        self.stat(key)
        with self._errors(key):
            self._client.remove_object(self._bucket, key)

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order of their names."""
        check_prefix(prefix)
        with self._errors():
            self._make_bucket()
            for found in self._client.list_objects(self._bucket, prefix, recursive=True):
                yield found.object_name or ""

    def _download(self, key: str, arriving: Path) -> None:
        response = self._client.get_object(self._bucket, key)
        try:
            with arriving.open("xb") as file:
                for chunk in response.stream(COPY_BYTES):
                    file.write(chunk)
        finally:
            response.close()
            response.release_conn()

    def _make_bucket(self) -> None:
        with self._bucket_lock:
            if self._bucket_is_there:
                return
            if not self._client.bucket_exists(self._bucket):
                try:
                    self._client.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in _OURS_ALREADY:  # another process made it meanwhile
                        raise
            self._bucket_is_there = True

    @contextmanager
    def _refusals(self, key: str) -> Iterator[None]:
        """InvalidInputError for an object that is refused for good by a store that takes another one."""
        try:
            yield
        except (S3Error, InvalidResponseError, ValueError) as error:
            code = _refusal(error)
            if not code:
                raise
            self._client.put_object(self._bucket, PROBE_KEY, io.BytesIO(b"probe"), len(b"probe"))
            too_large = code in _TOO_LARGE
            zh_hint = "：它对存储或其前面的代理来说过大" if too_large else ""
            en_hint = ": it is too large for the store, or for a proxy in front of it" if too_large else ""
            raise InvalidInputError(
                say(
                    zh=f"对象存储 {self._endpoint} 拒收 {key}（{code}）{zh_hint}",
                    en=f"the object store {self._endpoint} never takes {key} ({code}){en_hint}",
                )
            ) from None

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            if error.code in _MISSING:
                raise NotFoundError(
                    say(zh=f"对象存储中没有 {key}", en=f"the object store has no object {key}")
                ) from None
            if error.code == "NoSuchBucket":
                self._bucket_is_there = False
            raise UnavailableError(self._explain(error.code or "unknown error")) from None
        except MinioException:
            raise UnavailableError(
                say(
                    zh=f"{self._endpoint} 有应答，但不是 S3 对象存储：请检查 s3_endpoint 和 s3_tls",
                    en=f"{self._endpoint} answers, but not as an S3 object store: check s3_endpoint and s3_tls",
                )
            ) from None
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(
                say(
                    zh=f"对象存储 {self._endpoint} 没有应答（{_cause(error)}）：请检查它是否在运行，"
                    "以及 s3_endpoint 和 s3_tls 是否正确",
                    en=f"the object store {self._endpoint} does not answer ({_cause(error)}): is it running, "
                    "and are s3_endpoint and s3_tls right?",
                )
            ) from None

    def _explain(self, code: str) -> str:
        if code in _REFUSED:
            return say(
                zh=f"对象存储 {self._endpoint} 拒绝登录存储桶 {self._bucket}（{code}）："
                "请检查 s3_access_key 和 s3_secret_key 及其权限",
                en=f"the object store {self._endpoint} refuses the login for bucket {self._bucket} ({code}): "
                "check s3_access_key and s3_secret_key, and what they may do",
            )
        return say(
            zh=f"对象存储 {self._endpoint} 的存储桶 {self._bucket} 暂时不可用（{code}）",
            en=f"the object store {self._endpoint} cannot serve bucket {self._bucket} now ({code})",
        )


def _client(settings: ObjectStoreSettings) -> Minio:
    if settings.s3_access_key is None or settings.s3_secret_key is None:
        raise ConfigurationError(
            say(
                zh="设置了 s3_endpoint，就还需要 s3_access_key 和 s3_secret_key：请设置 SHARPEYES_S3_ACCESS_KEY 和 "
                "SHARPEYES_S3_SECRET_KEY，或以 ..._FILE 指定文件的路径",
                en="s3_endpoint is set, so s3_access_key and s3_secret_key are needed too: "
                "set SHARPEYES_S3_ACCESS_KEY and SHARPEYES_S3_SECRET_KEY, or ..._FILE with the path of a file",
            )
        )
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        # One more try: a kept connection may have been closed by the server meanwhile.
        retries=urllib3.Retry(total=1, backoff_factor=0.2),
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )
    try:
        return Minio(
            settings.s3_endpoint or "",
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=settings.s3_tls,
            region=settings.s3_region,
            http_client=pool,
        )
    except ValueError as error:
        raise ConfigurationError(
            say(
                zh=f"s3_endpoint：{settings.s3_endpoint!r} 不是 HOST:PORT（{error}）。例如 127.0.0.1:9000",
                en=f"s3_endpoint: {settings.s3_endpoint!r} is not HOST:PORT ({error}). Example: 127.0.0.1:9000",
            )
        ) from None


def _refusal(error: Exception) -> str:
    """Why the same object would be refused again; empty when it might be taken later."""
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, S3Error):
        return error.code if error.code in _REFUSED_FOR_GOOD else ""
    return str(HTTP_TOO_LARGE) if getattr(error, "_code", 0) == HTTP_TOO_LARGE else ""


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    reason = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error
    return type(reason).__name__ if reason is not None else type(error).__name__
