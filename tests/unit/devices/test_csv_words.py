"""An import in the words of the people who keep the table, and every reason of a bad row at once."""

from pathlib import Path

import pytest

from devices.csv_import import Import, read_import
from devices.csv_match import check_against
from devices.model import CallBox, Camera, PlaceType, Purpose, RecordingMode, Sensor, Severity, Site, SiteLevel
from devices.secrets import open_secret_box
from devices.sql_registry import open_registry
from devices.words import CHINESE, chinese, spoken
from runtime.errors import InvalidInputError

CHINESE_TABLE = """\
类型,编号,名称,站点,级别,主码流,用途,场所,录像,传输,启用,指标,单位,上限,严重程度
站点,county,青山县,,县
站点,town,河口镇,county,镇
摄像头,gate,东门,town,,rtsp://192.0.2.1/1,防汛,河边,全程,udp,否
呼叫盒,box,王大爷家,town
传感器,gauge,水位,town,,,,,,,是,water_level,m,3.5,紧急
"""


def reasons(found: Import, line: int) -> list[str]:
    return [problem.column for problem in found.problems if problem.line == line]


def test_a_table_may_be_chinese_in_every_cell() -> None:
    found = read_import(CHINESE_TABLE.encode("gbk"))
    assert found.problems == []
    county, town, gate, box, gauge = found.records
    assert isinstance(county, Site)
    assert isinstance(town, Site)
    assert (county.level, town.level) == (SiteLevel.COUNTY, SiteLevel.TOWNSHIP)
    assert isinstance(gate, Camera)
    assert (gate.purpose, gate.place_type) == (Purpose.FLOOD_WATCH, PlaceType.RIVERSIDE)
    assert (gate.recording, gate.enabled) == (RecordingMode.CONTINUOUS, False)
    assert isinstance(box, CallBox)
    assert isinstance(gauge, Sensor)
    assert gauge.thresholds[0].severity is Severity.CRITICAL


def test_every_member_is_read_back_from_each_of_its_words() -> None:
    for member, words in CHINESE:
        assert {spoken(type(member), each) for each in (*words, member.value)} == {member}
        assert chinese(member) == words


def test_all_reasons_of_a_row_are_named() -> None:
    text = """\
kind,id,name,site,main_url,purpose,place_type,detect_fps,password,high,high_clear,low,low_clear,metric,unit,latitude
camera,c,C,v,rtsp://h,traffic,nowhere,99,secret,,,,,,,30
sensor,s,S,v,,,,,,3,4,2,1,Bad Metric,m,91
"""
    found = read_import(text.encode())
    assert reasons(found, 2) == ["place_type", "detect_fps", "longitude", "username"]
    assert reasons(found, 3) == ["metric", "latitude", "high_clear", "low_clear"]


def test_a_row_with_a_bad_cell_is_also_told_that_its_site_is_missing(tmp_path: Path) -> None:
    registry = open_registry(None, tmp_path, open_secret_box(None, tmp_path))
    found = read_import("类型,编号,名称,站点\n呼叫盒,b 1,盒,nowhere\n".encode())
    check_against(found, registry, may_replace=False)
    assert reasons(found, 2) == ["编号", "站点"]
    registry.close()


@pytest.mark.parametrize(("wrong", "meant"), [("nmae", "name"), ("编码", "编号"), ("main url", "main_url")])
def test_a_mistyped_heading_is_answered_with_the_nearest_one(wrong: str, meant: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"(Did you mean|是不是) {meant}"):
        read_import(f"kind,id,{wrong}\n".encode())
