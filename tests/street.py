"""A registered camera on the test footage with pedestrians, as the tests that run whole roles want it."""

from devices.login import split_login
from devices.model import Camera, PlaceType, Purpose
from devices.scene import Rule, RuleKind, Zone


def street_camera(camera_id: str, url: str, *, cooldown_s: float) -> Camera:
    """A camera that tells of people on the crossing; `url` may hold a login."""
    plain, credentials = split_login(url)
    return Camera(
        camera_id=camera_id,
        name="东街口",
        site_id="village",
        main_url=plain,
        credentials=credentials,
        purpose=Purpose.PUBLIC_SAFETY,
        place_type=PlaceType.ROAD_JUNCTION,
        zones=(Zone(name="crossing", polygon=((0.2, 0.3), (0.8, 0.3), (0.8, 1.0), (0.2, 1.0))),),
        rules=(
            Rule(
                name="person on the crossing",
                kind=RuleKind.ZONE_ENTERED,
                area="crossing",
                classes=frozenset({"person"}),
                cooldown_s=cooldown_s,
            ),
        ),
    )
