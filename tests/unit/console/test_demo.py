"""The demo's records in a registry that people have worked in since."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from console.demo import CALLBOX_ID, CAMERA_NAMES, register_demo
from devices.secrets import open_secret_box
from devices.sql_registry import SqlRegistry, open_registry

URLS = {camera_id: f"rtsp://127.0.0.1:1/{camera_id}" for camera_id in CAMERA_NAMES}
NEW_URLS = {camera_id: f"rtsp://127.0.0.1:2/{camera_id}" for camera_id in CAMERA_NAMES}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[SqlRegistry]:
    with closing(open_registry(None, tmp_path, open_secret_box(None, tmp_path))) as opened:
        register_demo(opened, URLS)
        yield opened


def test_the_first_start_registers_sites_cameras_and_a_callbox(registry: SqlRegistry) -> None:
    assert {camera.camera_id: camera.main_url for camera in registry.cameras()} == URLS
    assert all(camera.rules for camera in registry.cameras())
    assert registry.callbox(CALLBOX_ID).site_id in {site.site_id for site in registry.sites()}


def test_a_second_start_gives_new_addresses_and_keeps_what_people_changed(registry: SqlRegistry) -> None:
    east = replace(registry.camera("east"), name="Our gate", rules=(), enabled=False)
    village = replace(registry.site("demo-village"), name="Our village")
    box = replace(registry.callbox(CALLBOX_ID), name="Our box", site_id="demo-county")
    registry.put_all([east, village, box])
    register_demo(registry, NEW_URLS)
    assert registry.camera("east") == replace(east, main_url=NEW_URLS["east"])
    assert registry.camera("west").main_url == NEW_URLS["west"]
    assert registry.site("demo-village") == village
    assert registry.callbox(CALLBOX_ID) == box


def test_what_was_taken_out_comes_back_with_the_next_start(registry: SqlRegistry) -> None:
    registry.remove_camera("west")
    register_demo(registry, NEW_URLS)
    assert registry.camera("west").name == CAMERA_NAMES["west"]
