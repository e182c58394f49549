"""Imports: real CSV files, as people and as enemies write them."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.csv_columns import COLUMNS
from devices.csv_import import Import, read_import
from devices.csv_match import check_against, keep_what_csv_cannot_say
from devices.csv_text import MAX_FILE_BYTES, MAX_ROWS
from devices.model import CallBox, Camera, Crossing, RecordingMode, Sensor, Severity, Site, SiteLevel
from devices.secrets import open_secret_box
from devices.sql_registry import SqlRegistry, open_registry
from devices.validation import FieldError
from runtime.errors import InvalidInputError
from tests.registry_records import camera, full_camera, sensor, tree

VILLAGE = """\
kind,id,name,site,level,main_url,username,password,purpose,place_type,recording,enabled,\
sub_url,metric,unit,high,high_clear,low,dwell_s,severity,latitude,longitude
site,county,青山县,,county
site,village,三河村,county,village
camera,gate-1,东门,village,,rtsp://192.0.2.64/1,admin, p@ss ,traffic,road_junction,continuous,是,,,,,,,,,30.66,104.06
camera,gate-2,西门,village,,rtsp://root:p@ss:w#d@192.0.2.65/1,,,flood_watch,riverside,,no
callbox,box-17,王大爷家,village
sensor,gauge-2,水位,village,,,,,,,,,,water_level,m,3.5,3.2,0.1,60,critical
"""

CHINESE = """\
类型,编号,名称,站点,级别,主码流,用途,场所
site,county,青山县,,county
camera,gate-1,东门,county,,rtsp://192.0.2.64/1,traffic,road
"""


def complaints(found: Import) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in found.problems]


def test_every_kind_is_read_from_one_file() -> None:
    found = read_import(VILLAGE.encode())
    assert found.problems == []
    county, village, gate, west, box, gauge = found.records
    assert isinstance(county, Site)
    assert village == Site(site_id="village", name="三河村", level=SiteLevel.VILLAGE, parent_id="county")
    assert isinstance(gate, Camera)
    assert gate.credentials is not None
    assert (gate.credentials.username, gate.credentials.password.reveal()) == ("admin", " p@ss ")
    assert (gate.recording, gate.enabled) == (RecordingMode.CONTINUOUS, True)
    assert gate.position is not None
    assert gate.position.latitude == 30.66
    assert isinstance(west, Camera)
    assert west.main_url == "rtsp://192.0.2.65/1"
    assert west.credentials is not None
    assert west.credentials.password.reveal() == "p@ss:w#d"
    assert west.enabled is False
    assert box == CallBox(callbox_id="box-17", name="王大爷家", site_id="village")
    assert isinstance(gauge, Sensor)
    high, low = gauge.thresholds
    assert (high.crossing, high.trip, high.clear, high.dwell_s) == (Crossing.ABOVE, 3.5, 3.2, 60.0)
    assert (low.crossing, low.trip, low.clear, low.severity) == (Crossing.BELOW, 0.1, 0.1, Severity.CRITICAL)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_reads_the_same_in_every_encoding_of_chinese_spreadsheets(encoding: str, newline: str) -> None:
    found = read_import(CHINESE.replace("\n", newline).encode(encoding))
    assert found.problems == []
    assert [record.name for record in found.records] == ["青山县", "东门"]


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_delimiters_of_spreadsheets_are_recognised(mark: str) -> None:
    assert len(read_import(CHINESE.replace(",", mark).encode()).records) == 2


def test_blank_lines_count_but_are_not_rows() -> None:
    found = read_import(b"kind,id,name,site\n\n,,,\ncallbox,box,House,v\ncallbox,b x,House,v\n")
    assert (found.rows, found.lines, complaints(found)) == (2, [4], [(5, "id")])


def test_all_bad_rows_are_named_at_once_by_line_and_column() -> None:
    text = """\
kind,id,name,site,level,main_url,purpose,place_type,detect_fps,metric,unit,high,high_clear,latitude,longitude
camera,c 1,x,v,,http://h,traffic,roadx,many
camera,c2,x,v,,rtsp://h,traffic,road,99
camera,c3,x,v,,rtsp://h,,road
site,v,Village,,hamlet
site,w,,,village
callbox,b1,"two
lines",v
callbox,b2,Box,v,,rtsp://h
callbox,b3,Box,v,,,,,,,,,,1
sensor,s1,S,v,,,,,,water_level,m,nan
sensor,s2,S,v,,,,,,water_level,m,3,3.5
sensor,s3,S,v,,,,,,water_level,m,,3.5
robot,r,R,v
,x,X,v
callbox,b4,Box,v,,,,,,,,,,,,more
callbox,b5,Box,v
callbox,b5,Box,v
"""
    found = read_import(text.encode())
    assert complaints(found) == [
        (2, "id"),
        (2, "main_url"),
        (2, "place_type"),
        (2, "detect_fps"),
        (3, "detect_fps"),
        (4, "purpose"),
        (5, "level"),
        (6, "name"),
        (7, "name"),
        (9, "main_url"),
        (10, "longitude"),
        (11, "high"),
        (12, "high_clear"),
        (13, "high"),
        (14, "kind"),
        (15, "kind"),
        (16, ""),
        (18, "id"),
    ]
    assert found.rows == 16


def test_problems_name_columns_as_the_file_does() -> None:
    assert read_import((CHINESE + "camera,c 1,x,county,,rtsp://h,traffic,road\n").encode()).problems[0].column == "编号"


def test_a_password_is_never_part_of_a_problem() -> None:
    text = "kind,id,name,site,main_url,username,password,purpose,place_type\n"
    rows = ["http://u:hidden@h,,", "rtsp://u:hi/dden@h,,", "rtsp://u:hidden@h,other,hidden", "rtsp://h,,hidden"]
    found = read_import(
        (text + "".join(f"camera,c{n},C,v,{row},traffic,road\n" for n, row in enumerate(rows))).encode()
    )
    assert len(found.problems) == 4
    assert "dden" not in repr(found.problems)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xff\xfe\x00",
        "kind,id,name\n".encode("utf-16"),
        b"kind,id,name\ncallbox,b,\xff\xff\n",
        b"\x00\x01\x02",
        b"PK\x03\x04 an Excel workbook",
        b"kind,id\n",
        b"kind,id,name,colour\n",
        b"kind,id,name,name\n",
        "kind,id,name,名称\n".encode(),
        b'kind,id,name\ncallbox,b,"open',
        b'kind,id,name\ncallbox,b,"a"b\n',
        b"kind,id,name\n" + b"x" * 200_000 + b"\n",
        b"kind,id,name\n" + b"," * 200 + b"x\n",
        b"x\n" * (MAX_ROWS + 2),
        b"x" * (MAX_FILE_BYTES + 1),
    ],
)
def test_what_is_no_table_is_refused_as_a_whole(content: bytes) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_import(content)
    assert len(str(caught.value)) < 400


@given(st.binary(max_size=300))
def test_no_bytes_crash_an_import(content: bytes) -> None:
    for start in (b"", b"kind,id,name,site,level,high,latitude\n"):
        with contextlib.suppress(InvalidInputError):
            read_import(start + content)


def test_every_column_has_one_name_in_each_language() -> None:
    headings = [heading for column in COLUMNS for heading in (column.name, column.zh)]
    assert len(set(headings)) == len(headings)


@pytest.fixture
def registry(tmp_path: Path) -> SqlRegistry:
    opened = open_registry(None, tmp_path, open_secret_box(None, tmp_path))
    opened.put_all(tree())
    return opened


def test_the_registry_knows_more_problems(registry: SqlRegistry) -> None:
    registry.put_all([camera("cam"), sensor("gauge")])
    text = """\
kind,id,name,site,level
callbox,b1,Box,nowhere
callbox,b2,Box,village
callbox,cam,Box,village
site,grid,Grid,county,grid
site,town,Town,grid,township
site,lost,Lost,nowhere,village
site,broken,Broken,county,hamlet
callbox,b3,Box,broken
"""
    found = read_import(text.encode())
    replaced = check_against(found, registry, may_replace=False)
    assert complaints(found) == [
        (2, "site"),
        (4, "id"),
        (5, "level"),
        (6, "level"),
        (6, "id"),
        (7, "site"),
        (8, "level"),
    ]
    assert replaced == 2
    again = read_import(b"kind,id,name,site\ncallbox,cam,Box,village\n")
    check_against(again, registry, may_replace=True)
    assert complaints(again) == [(2, "id")], "another kind's id is never replaced"


def test_what_passes_the_check_is_written_whole(registry: SqlRegistry) -> None:
    found = read_import(VILLAGE.encode())
    replaced = check_against(found, registry, may_replace=True)
    assert (replaced, found.problems) == (2, [])
    registry.put_all(keep_what_csv_cannot_say(found.records, registry))
    assert [found.camera_id for found in registry.cameras()] == ["gate-1", "gate-2"]
    assert registry.site("village").name == "三河村"


def test_a_replaced_camera_keeps_its_scene_and_its_login_only_for_the_same_address(registry: SqlRegistry) -> None:
    registry.put_all([full_camera("same"), full_camera("moved"), full_camera("new-login"), sensor("gauge")])
    text = """\
kind,id,name,site,main_url,purpose,place_type,username,password,metric,unit
camera,same,Same,village,rtsp://192.0.2.1/main,traffic,road
camera,moved,Moved,village,rtsp://198.51.100.9/main,traffic,road
camera,new-login,New,village,rtsp://192.0.2.1/main,traffic,road,root,new
sensor,gauge,Gauge,village,,,,,,water_level,cm
"""
    found = read_import(text.encode())
    same, moved, new_login, gauge = keep_what_csv_cannot_say(found.records, registry)
    assert isinstance(same, Camera)
    assert isinstance(moved, Camera)
    assert isinstance(new_login, Camera)
    assert isinstance(gauge, Sensor)
    before = full_camera("same")
    assert (same.name, same.rules, same.zones, same.credentials) == (
        "Same",
        before.rules,
        before.zones,
        before.credentials,
    )
    assert (moved.rules, moved.credentials) == (before.rules, None)
    assert new_login.credentials is not None
    assert new_login.credentials.username == "root"
    assert (gauge.unit, gauge.thresholds) == ("cm", sensor("gauge").thresholds)


def test_a_row_that_slips_past_the_check_is_still_refused_by_the_store(registry: SqlRegistry) -> None:
    found = read_import(b"kind,id,name,site\ncallbox,b1,Box,village\ncallbox,b2,Box,nowhere\n")
    with pytest.raises(FieldError):
        registry.put_all(found.records)
    assert registry.callboxes() == ()
