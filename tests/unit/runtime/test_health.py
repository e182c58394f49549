from runtime.health import Health


def test_a_role_without_parts_is_ready() -> None:
    assert Health().is_ready()


def test_a_required_part_that_is_not_well_makes_the_role_not_ready() -> None:
    health = Health()
    health.unwell("database", "connection refused", required=True)
    assert not health.is_ready()
    assert health.parts()["database"].reason == "connection refused"
    health.well("database", required=True)
    assert health.is_ready()
    assert health.parts()["database"].reason == ""


def test_a_part_that_is_not_required_only_degrades_the_role() -> None:
    health = Health()
    health.unwell("object store", "timed out")
    assert health.is_ready()
    assert not health.parts()["object store"].well


def test_a_dropped_part_no_longer_counts() -> None:
    health = Health()
    health.unwell("camera east", "gone", required=True)
    health.drop("camera east")
    health.drop("never there")
    assert health.is_ready()


def test_parts_are_a_copy() -> None:
    health = Health()
    parts = health.parts()
    health.well("bus")
    assert parts == {}
