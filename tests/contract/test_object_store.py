"""What every object store promises, on the directory and on MinIO."""

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from ingest.directory_store import DirectoryStore
from ingest.object_key import ObjectKind
from ingest.object_store import ObjectStore
from ingest.open_store import open_spool
from ingest.s3_store import S3Store
from ingest.settings import ObjectStoreSettings
from ingest.spool_record import SpoolRecord
from runtime.errors import ConfigurationError, InvalidInputError, NotFoundError, UnavailableError
from tests.servers.fixtures import Factory
from tests.servers.minio import MinioServer
from tests.waiting import wait_until

KEY = "clips/east/2026/11/05/01ABC.mp4"


def s3_settings(server: MinioServer, **changes: object) -> ObjectStoreSettings:
    base = {
        "s3_endpoint": server.endpoint,
        "s3_bucket": f"test-{uuid.uuid4().hex}",
        "s3_access_key": SecretStr(server.access_key),
        "s3_secret_key": SecretStr(server.secret_key),
    }
    return ObjectStoreSettings.model_validate(base | changes)


@pytest.fixture(params=["directory", "minio"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "directory":
        yield DirectoryStore(tmp_path / "store")
    else:
        yield S3Store(s3_settings(request.getfixturevalue("minio")))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"first light")
    return path


def put(store: ObjectStore, key: str, path: Path, content_type: str = "video/mp4") -> str:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    store.put_file(key, path, content_type, sha256)
    return sha256


def test_a_stored_file_comes_back_byte_for_byte(store: ObjectStore, picture: Path, tmp_path: Path) -> None:
    put(store, KEY, picture)
    store.fetch(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"first light"


def test_stat_tells_size_type_and_sha256(store: ObjectStore, picture: Path) -> None:
    sha256 = put(store, KEY, picture)
    found = store.stat(KEY)
    assert (found.key, found.size_bytes, found.content_type, found.sha256) == (KEY, 11, "video/mp4", sha256)


def test_a_second_put_replaces_object_and_facts(store: ObjectStore, picture: Path, tmp_path: Path) -> None:
    put(store, KEY, picture)
    other = tmp_path / "other"
    other.write_bytes(b"later")
    sha256 = put(store, KEY, other, "image/jpeg")
    store.fetch(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"later"
    assert (store.stat(KEY).content_type, store.stat(KEY).sha256) == ("image/jpeg", sha256)


def test_an_object_outlives_the_file_it_came_from(store: ObjectStore, picture: Path, tmp_path: Path) -> None:
    put(store, KEY, picture)
    picture.unlink()
    store.fetch(KEY, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"first light"


def test_an_object_larger_than_one_part_comes_back_whole(store: ObjectStore, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * 70_000)
    sha256 = put(store, KEY, large)
    store.fetch(KEY, tmp_path / "back")
    assert hashlib.sha256((tmp_path / "back").read_bytes()).hexdigest() == sha256 == store.stat(KEY).sha256


def test_keys_lists_what_begins_with_the_prefix_in_order(store: ObjectStore, picture: Path) -> None:
    for key in ("clips/b/2", "clips/a/1", "clips/ab/1", "snapshots/a/1"):
        put(store, key, picture)
    assert list(store.keys("clips/a")) == ["clips/a/1", "clips/ab/1"]
    assert list(store.keys("clips/a/")) == ["clips/a/1"]
    assert list(store.keys("")) == ["clips/a/1", "clips/ab/1", "clips/b/2", "snapshots/a/1"]
    assert list(store.keys("none/")) == []


def test_a_missing_key_is_not_found_by_stat_fetch_and_remove(store: ObjectStore, tmp_path: Path) -> None:
    store.check()
    with pytest.raises(NotFoundError, match="clips/nothing"):
        store.stat("clips/nothing")
    with pytest.raises(NotFoundError):
        store.fetch("clips/nothing", tmp_path / "back")
    with pytest.raises(NotFoundError):
        store.remove("clips/nothing")
    assert list(tmp_path.glob("back*")) == []


def test_removed_objects_are_gone(store: ObjectStore, picture: Path) -> None:
    put(store, KEY, picture)
    store.remove(KEY)
    assert list(store.keys("clips/")) == []
    with pytest.raises(NotFoundError):
        store.stat(KEY)


@pytest.mark.parametrize(
    "key", ["../etc/passwd", "/etc/passwd", "clips/../../x", "", "clips//x", "a\0b", ".hidden", "a" * 600]
)
def test_a_key_that_could_leave_the_store_is_refused(
    store: ObjectStore, picture: Path, tmp_path: Path, key: str
) -> None:
    with pytest.raises(InvalidInputError):
        store.put_file(key, picture, "video/mp4", "0" * 64)
    with pytest.raises(InvalidInputError):
        store.stat(key)
    with pytest.raises(InvalidInputError):
        store.fetch(key, tmp_path / "back")
    with pytest.raises(InvalidInputError):
        store.remove(key)


def test_a_missing_source_file_is_said_and_stores_nothing(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="gone"):
        store.put_file(KEY, tmp_path / "gone", "video/mp4", "0" * 64)
    assert list(store.keys("")) == []


def test_a_new_bucket_is_made_by_the_first_put(minio: MinioServer, picture: Path) -> None:
    store = S3Store(s3_settings(minio))
    put(store, KEY, picture)
    assert list(store.keys("")) == [KEY]


def test_wrong_keys_are_explained_without_showing_them(minio: MinioServer) -> None:
    store = S3Store(s3_settings(minio, s3_secret_key=SecretStr("very-wrong-secret")))
    with pytest.raises(UnavailableError, match="s3_secret_key") as refused:
        store.check()
    assert "very-wrong-secret" not in str(refused.value)
    assert minio.access_key not in str(refused.value)


def test_an_s3_store_without_keys_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match="s3_access_key"):
        S3Store(ObjectStoreSettings(s3_endpoint="127.0.0.1:9000"))


def test_an_endpoint_that_is_no_address_stops_the_start() -> None:
    settings = ObjectStoreSettings(
        s3_endpoint="http://127.0.0.1:9000/x", s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b")
    )
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        S3Store(settings)


def test_a_store_that_was_away_works_again_when_it_is_back(own_minio: Factory[MinioServer], picture: Path) -> None:
    server = own_minio()
    store = S3Store(s3_settings(server))
    put(store, KEY, picture)
    server.stop()
    with pytest.raises(UnavailableError, match="does not answer"):
        put(store, KEY + ".2", picture)
    server.start()

    def is_back() -> bool:
        try:
            put(store, KEY + ".2", picture)
        except UnavailableError:
            return False
        return True

    wait_until(is_back, 20)
    assert sorted(store.keys("clips/")) == [KEY, KEY + ".2"]


def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path: Path, picture: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryStore(tmp_path / "file" / "store")
    with pytest.raises(UnavailableError, match="cannot be written"):
        store.check()
    with pytest.raises(UnavailableError, match="cannot be written"):
        put(store, KEY, picture)


def test_facts_of_another_file_beside_an_object_are_not_believed(tmp_path: Path, picture: Path) -> None:
    """As a crash between the two renames of a replacing put leaves it."""
    store = DirectoryStore(tmp_path / "store")
    sha256 = put(store, KEY, picture)
    about = tmp_path / "store" / ".about" / f"{KEY}.json"
    about.write_text('{"content_type": "x/y", "sha256": "f", "size_bytes": 11, "mtime_ns": 1}')
    assert (store.stat(KEY).sha256, store.stat(KEY).content_type) == (sha256, "video/mp4")


def test_the_oldest_day_of_any_camera_is_dropped_first(tmp_path: Path, picture: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    for key in ("segments/a/2026/11/06/x.mp4", "segments/b/2026/11/05/y.mp4", "clips/a/2020/01/01/z.mp4"):
        put(store, key, picture)
    assert store.drop_oldest("segments/") == 11
    assert list(store.keys("")) == ["clips/a/2020/01/01/z.mp4", "segments/a/2026/11/06/x.mp4"]
    assert store.drop_oldest("segments/") == 11
    assert store.drop_oldest("segments/") == 0


def test_a_full_disk_costs_stored_segments_before_it_costs_a_clip(tmp_path: Path, picture: Path) -> None:
    store = DirectoryStore(tmp_path / "objects")
    for number in range(3):
        put(store, f"segments/a/2026/11/05/{number}.mp4", picture)
    spool = open_spool(ObjectStoreSettings(spool_min_free_bytes=1 << 60), tmp_path)
    clip = SpoolRecord(object_id="clip", kind=ObjectKind.CLIP, camera_id="a", start_ns=0)
    with pytest.raises(UnavailableError, match="make room"):
        spool.begin(clip)
    assert list(store.keys("")) == []
