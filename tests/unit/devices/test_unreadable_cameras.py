"""A login that cannot be decrypted costs its own camera and no other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from devices.csv_match import keep_what_csv_cannot_say
from devices.secrets import open_secret_box
from devices.sql_registry import DATABASE_FILE, SqlRegistry, open_registry
from devices.tables import devices
from runtime.errors import ConfigurationError
from runtime.sql import create_sql_engine, sqlite_url
from tests.registry_records import camera, full_camera, tree


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    """Camera "well" can be read; the sealed cell of "hurt" is damaged."""
    registry = open_registry(None, tmp_path, open_secret_box(None, tmp_path))
    registry.put_all([*tree(), replace(full_camera("hurt"), enabled=True), full_camera("well")])
    engine = create_sql_engine(sqlite_url(tmp_path / DATABASE_FILE))
    with engine.begin() as connection:
        connection.execute(update(devices).where(devices.c.device_id == "hurt").values(sealed="gAAAAA-damaged"))
    engine.dispose()
    yield registry
    registry.close()


def test_the_other_cameras_are_read_and_the_one_is_named_with_the_reason(registry: SqlRegistry) -> None:
    assert registry.cameras() == (full_camera("well"),)
    (hurt,) = registry.unreadable_cameras()
    assert (hurt.camera_id, hurt.enabled) == ("hurt", True)
    assert "secret.key" in hurt.reason


def test_a_camera_that_is_switched_off_is_told_as_such(registry: SqlRegistry, tmp_path: Path) -> None:
    registry.put_camera(replace(full_camera("well"), enabled=False))
    (tmp_path / "secret.key").unlink()
    keyless = open_registry(None, tmp_path, open_secret_box(None, tmp_path))
    assert [(found.camera_id, found.enabled) for found in keyless.unreadable_cameras()] == [
        ("hurt", True),
        ("well", False),
    ]
    keyless.close()


def test_an_import_does_not_replace_a_camera_whose_zones_it_cannot_read(registry: SqlRegistry) -> None:
    assert keep_what_csv_cannot_say([camera("new")], registry) == [camera("new")]
    with pytest.raises(ConfigurationError, match="hurt"):
        keep_what_csv_cannot_say([camera("hurt")], registry)
