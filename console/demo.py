"""What `sharpeyes up --demo` adds: a small site tree, two simulated cameras with their scenes, one call box.

`demo_cameras` serves the cameras as RTSP streams on the loopback address for as long as it is entered; `register_demo`
blocks on the registry. Registering again changes nothing but the cameras' addresses: what people changed stays.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from console.demo_footage import demo_files, demo_scene
from devices.model import CallBox, Camera, PlaceType, Purpose, Site, SiteLevel
from devices.registry import Device, Registry
from ingest.simulated_camera import SimulatedCameras
from runtime.language import say

CALLBOX_ID = "box-1"

SITES = (
    Site(site_id="demo-county", name=say(zh="演示县", en="Demo county"), level=SiteLevel.COUNTY),
    Site(
        site_id="demo-township",
        name=say(zh="演示镇", en="Demo township"),
        level=SiteLevel.TOWNSHIP,
        parent_id="demo-county",
    ),
    Site(
        site_id="demo-village",
        name=say(zh="演示村", en="Demo village"),
        level=SiteLevel.VILLAGE,
        parent_id="demo-township",
    ),
)

CAMERA_NAMES: Mapping[str, str] = {
    "east": say(zh="东街口", en="East street"),
    "west": say(zh="西街口", en="West street"),
}


@asynccontextmanager
async def demo_cameras(data: Path) -> AsyncIterator[Mapping[str, str]]:
    """Camera id to RTSP URL; made from the street footage at the first start, which takes some seconds."""
    files = await asyncio.to_thread(demo_files, data / "demo")
    cameras = SimulatedCameras()
    try:
        urls = {camera_id: cameras.add(camera_id, path) for camera_id, path in files.items()}
        await cameras.start()
        yield urls
    finally:
        await cameras.stop()


def register_demo(registry: Registry, urls: Mapping[str, str]) -> None:
    """Put into the registry what it lacks of the demo, and the cameras' new addresses; all or none."""
    known_sites = {site.site_id for site in registry.sites()}
    known_devices = registry.device_kinds()
    cameras = {camera.camera_id: camera for camera in registry.cameras()}
    records: list[Site | Device] = [site for site in SITES if site.site_id not in known_sites]
    for camera_id, url in urls.items():
        if camera_id in cameras:
            records.append(replace(cameras[camera_id], main_url=url))
        elif camera_id not in known_devices:
            records.append(_camera(camera_id, url))
    if CALLBOX_ID not in known_devices:
        records.append(CallBox(callbox_id=CALLBOX_ID, name=say(zh="李奶奶家", en="Grandma Li"), site_id="demo-village"))
    registry.put_all(records)


def _camera(camera_id: str, url: str) -> Camera:
    scene = demo_scene(camera_id)
    return Camera(
        camera_id=camera_id,
        name=CAMERA_NAMES[camera_id],
        site_id="demo-village",
        main_url=url,
        purpose=Purpose.PUBLIC_SAFETY,
        place_type=PlaceType.ROAD_JUNCTION,
        zones=scene.zones,
        lines=scene.lines,
        rules=scene.rules,
    )
