from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Event
from analytics.rules import GAP_S, RuleEngine
from analytics.stays import PLACE_FORGET_NS
from analytics.track_slots import MAX_TRACKS
from analytics.zone_rule import EVENT_WATCH_NS
from devices.scene import Direction, Line, Rule, RuleKind, Scene, Schedule, TimeWindow
from tests.unit.analytics.made_tracks import (
    START_NS,
    S,
    at_s,
    ended,
    engine,
    line_rule,
    started,
    straight,
    tracks_at,
    walk,
    zone_rule,
)

INSIDE = (0.6, 0.6)
OUTSIDE = (0.1, 0.6)


def loitering(dwell_s: float = 5.0, **changes: object) -> Rule:
    return zone_rule(RuleKind.LOITERING, dwell_s=dwell_s, **changes)


class TestZoneEntered:
    def test_walking_in_is_told_once_when_the_foot_point_enters(self) -> None:
        events = walk(engine(zone_rule()), 0, straight(OUTSIDE, INSIDE, 11))
        assert len(events) == 1
        assert events[0].track_id == 1
        assert events[0].object_class == "person"
        assert at_s(events[0].start_ns) == pytest.approx(1.2)
        assert events[0].end_ns is None

    def test_appearing_inside_counts_from_when_the_tracker_first_saw_it(self) -> None:
        events = engine(zone_rule()).update(tracks_at(1.0, {1: INSIDE}, first_s={1: 0.6}))
        assert at_s(events[0].start_ns) == pytest.approx(0.6)

    def test_an_onset_lies_at_most_two_seconds_back(self) -> None:
        events = engine(zone_rule()).update(tracks_at(10.0, {1: INSIDE}, first_s={1: 0.0}))
        assert at_s(events[0].start_ns) == pytest.approx(8.0)

    def test_it_ends_when_the_track_has_left_for_the_gap_at_its_last_time_inside(self) -> None:
        rules = engine(zone_rule())
        begun = walk(rules, 0, [INSIDE] * 6)
        events = walk(rules, 1.2, [OUTSIDE] * 12)
        assert len(events) == 1
        assert events[0].identity == begun[0].identity
        assert at_s(events[0].end_ns) == pytest.approx(1.0)
        assert events[0].dwell_s == pytest.approx(1.0)

    def test_stepping_out_for_less_than_the_gap_is_the_same_stay(self) -> None:
        path = [INSIDE] * 3 + [OUTSIDE] * 8 + [INSIDE] * 3
        assert len(walk(engine(zone_rule()), 0, path)) == 1

    def test_coming_back_after_the_gap_is_another_entry(self) -> None:
        path = [INSIDE] * 3 + [OUTSIDE] * 15 + [INSIDE] * 3
        events = walk(engine(zone_rule()), 0, path)
        assert [event.end_ns is None for event in events] == [True, False, True]

    def test_a_lost_track_ends_its_event_by_a_tick_without_frames(self) -> None:
        rules = engine(zone_rule())
        walk(rules, 0, [INSIDE] * 3)
        assert rules.tick(START_NS + round((0.4 + GAP_S) * S)) == []
        events = rules.tick(START_NS + round((0.5 + GAP_S) * S))
        assert at_s(ended(events)[0].end_ns) == pytest.approx(0.4)

    def test_end_all_ends_what_goes_on_and_nothing_twice(self) -> None:
        rules = engine(zone_rule())
        begun = walk(rules, 0, [INSIDE] * 3)
        assert [event.identity for event in rules.end_all()] == [begun[0].identity]
        assert rules.end_all() == []

    def test_after_end_all_the_same_track_is_a_new_one(self) -> None:
        rules = engine(zone_rule())
        walk(rules, 0, [INSIDE])
        rules.end_all()
        assert len(started(walk(rules, 1, [INSIDE]))) == 1


class TestStandingObjects:
    def test_a_parked_car_that_nobody_watched_is_no_new_entry(self) -> None:
        rules = engine(zone_rule(classes=frozenset({"car"})))
        for step in range(20):
            rules.update(tracks_at(step * 0.2, {1: INSIDE}, class_id=2))
        rules.tick(START_NS + 60 * S)
        again = [rules.update(tracks_at(3600 + i, {9: (0.61, 0.6)}, class_id=2)) for i in range(3)]
        assert again == [[], [], []]

    def test_another_object_elsewhere_in_the_zone_is_an_entry_of_its_own(self) -> None:
        rules = engine(zone_rule())
        walk(rules, 0, [INSIDE] * 20)
        rules.tick(START_NS + 60 * S)
        assert len(started(rules.update(tracks_at(3600, {9: (0.45, 0.7)})))) == 1

    def test_a_place_watched_empty_for_long_enough_is_free_again(self) -> None:
        rules = engine(zone_rule())
        walk(rules, 0, [INSIDE] * 20)
        for step in range(PLACE_FORGET_NS // S * 5 + 20):
            rules.update(tracks_at(4 + step * 0.2, {}))
        assert len(started(rules.update(tracks_at(60, {2: INSIDE})))) == 1

    def test_someone_who_walked_on_until_lost_keeps_no_place(self) -> None:
        rules = engine(zone_rule())
        path = straight((0.42, 0.6), (0.78, 0.6), 20)
        walk(rules, 0, path)
        rules.update(tracks_at(8, {}))
        assert len(started(rules.update(tracks_at(8.2, {2: path[-1]})))) == 1

    def test_a_flickering_detection_goes_on_loitering(self) -> None:
        rules = engine(loitering(10))
        walk(rules, 0, [INSIDE] * 20)
        for step in range(25):
            rules.update(tracks_at(4 + step * 0.2, {}))
        events = walk(rules, 9.0, [INSIDE] * 8, track=2)
        assert at_s(started(events)[0].start_ns) == pytest.approx(10.0)


class TestLoitering:
    def test_it_starts_when_the_dwell_is_reached_and_not_before(self) -> None:
        events = walk(engine(loitering(5)), 0, [INSIDE] * 40)
        assert at_s(events[0].start_ns) == pytest.approx(5.0)
        assert events[0].dwell_s == pytest.approx(5.0)
        assert len(events) == 1

    def test_passing_through_is_not_loitering(self) -> None:
        assert walk(engine(loitering(5)), 0, [INSIDE] * 20 + [OUTSIDE] * 40) == []

    def test_its_end_tells_the_whole_time_inside(self) -> None:
        events = walk(engine(loitering(5)), 0, [INSIDE] * 40 + [OUTSIDE] * 15)
        assert ended(events)[0].dwell_s == pytest.approx(7.8)

    def test_two_people_loiter_each_for_themselves(self) -> None:
        rules = engine(loitering(2))
        events: list[Event] = []
        for step in range(30):
            feet = {1: INSIDE} | ({2: (0.5, 0.5)} if step >= 10 else {})
            events += rules.update(tracks_at(step * 0.2, feet))
        assert [(event.track_id, at_s(event.start_ns)) for event in events] == [
            (1, pytest.approx(2.0)),
            (2, pytest.approx(4.0)),
        ]

    def test_one_held_back_by_the_cooldown_is_told_when_it_is_over(self) -> None:
        rules = engine(loitering(2, cooldown_s=5.0))
        events: list[Event] = []
        for step in range(60):
            events += rules.update(tracks_at(step * 0.2, {1: INSIDE, 2: (0.5, 0.5)}))
        assert [(event.track_id, at_s(event.start_ns)) for event in events] == [
            (1, pytest.approx(2.0)),
            (2, pytest.approx(7.0)),
        ]


class TestLineCrossed:
    @pytest.mark.parametrize(
        ("start", "end", "direction"),
        [((0.5, 0.3), (0.5, 0.7), Direction.A_TO_B), ((0.5, 0.7), (0.5, 0.3), Direction.B_TO_A)],
    )
    def test_walking_across_is_told_once_with_its_direction(
        self, start: tuple[float, float], end: tuple[float, float], direction: Direction
    ) -> None:
        events = walk(engine(line_rule()), 0, straight(start, end, 21))
        assert [event.direction for event in started(events)] == [direction]
        assert [event.identity for event in ended(events)] == [event.identity for event in started(events)]

    def test_its_start_is_the_moment_on_the_line(self) -> None:
        events = walk(engine(line_rule()), 0, straight((0.5, 0.31), (0.5, 0.71), 21))
        assert at_s(events[0].start_ns) == pytest.approx(1.9)

    def test_jitter_on_the_line_is_no_crossing(self) -> None:
        jitter = [(0.5, 0.5 + 0.015 * (-1) ** step) for step in range(40)]
        assert walk(engine(line_rule()), 0, [(0.5, 0.4), *jitter, (0.5, 0.4)]) == []

    def test_a_crossing_with_jitter_counts_once(self) -> None:
        jitter = [(0.5, 0.5 + 0.015 * (-1) ** step) for step in range(41)]
        events = walk(engine(line_rule()), 0, [(0.5, 0.4), *jitter, (0.5, 0.6)])
        assert len(started(events)) == 1

    def test_there_and_back_are_two_crossings(self) -> None:
        there = straight((0.5, 0.3), (0.5, 0.7), 11)
        events = walk(engine(line_rule()), 0, there + there[::-1])
        assert [event.direction for event in started(events)] == [Direction.A_TO_B, Direction.B_TO_A]

    def test_walking_around_the_end_is_no_crossing(self) -> None:
        around = [(0.5, 0.4), (0.9, 0.4), (0.9, 0.6), (0.5, 0.6)]
        assert walk(engine(line_rule()), 0, around) == []

    def test_back_through_it_after_walking_around_its_end_counts(self) -> None:
        around = [(0.5, 0.4), (0.9, 0.4), (0.9, 0.6), (0.5, 0.6), (0.5, 0.4)]
        assert [e.direction for e in started(walk(engine(line_rule()), 0, around))] == [Direction.B_TO_A]

    def test_one_long_step_over_the_line_counts(self) -> None:
        assert len(started(walk(engine(line_rule()), 0, [(0.5, 0.2), (0.5, 0.8)]))) == 1

    def test_appearing_on_the_line_and_walking_off_is_no_crossing(self) -> None:
        assert walk(engine(line_rule()), 0, straight((0.5, 0.495), (0.5, 0.8), 10)) == []

    @pytest.mark.parametrize(
        ("direction", "count"), [(Direction.A_TO_B, 1), (Direction.B_TO_A, 0), (Direction.BOTH, 1)]
    )
    def test_a_rule_for_one_direction_leaves_out_the_other(self, direction: Direction, count: int) -> None:
        events = walk(engine(line_rule(direction=direction)), 0, straight((0.5, 0.3), (0.5, 0.7), 11))
        assert len(started(events)) == count

    def test_a_wrong_class_in_the_very_frame_does_not_hide_the_crossing(self) -> None:
        rules = engine(line_rule())
        rules.update(tracks_at(0.0, {1: (0.5, 0.4)}))
        rules.update(tracks_at(0.2, {1: (0.5, 0.49)}))
        events = rules.update(tracks_at(0.4, {1: (0.5, 0.6)}, class_id=1))
        assert len(started(events)) == 1

    def test_many_tracks_cross_in_one_frame(self) -> None:
        rules = engine(line_rule())
        places = {track: 0.25 + track * 0.01 for track in range(50)}
        rules.update(tracks_at(0, {track: (x, 0.4) for track, x in places.items()}))
        events = rules.update(tracks_at(0.2, {track: (x, 0.6) for track, x in reversed(places.items())}))
        assert sorted(event.track_id for event in started(events)) == list(range(50))

    @given(steps=st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=2, max_size=30))
    def test_directions_alternate_whenever_the_ends_cannot_be_walked_around(
        self, steps: list[tuple[float, float]]
    ) -> None:
        wall = Line(name="wall", start=(0.0, 0.5), end=(1.0, 0.5))
        rules = RuleEngine("cam", Scene(lines=(wall,), rules=(line_rule(area="wall"),)), ("person",))
        directions = [event.direction for event in started(walk(rules, 0, steps))]
        assert all(one is not other for one, other in pairwise(directions))


class TestBounds:
    def test_other_classes_are_left_out(self) -> None:
        assert engine(zone_rule()).update(tracks_at(0, {1: INSIDE}, class_id=2)) == []

    def test_too_small_a_box_is_left_out_until_it_has_grown(self) -> None:
        rules = engine(zone_rule(min_height=0.15))
        assert rules.update(tracks_at(0, {1: INSIDE}, height=0.14)) == []
        assert len(rules.update(tracks_at(0.2, {1: INSIDE}, height=0.16))) == 1

    def test_the_cooldown_silences_the_rule_for_all_tracks(self) -> None:
        rules = engine(zone_rule(cooldown_s=10.0))
        starts = [len(started(rules.update(tracks_at(t, {t: INSIDE})))) for t in range(0, 22, 3)]
        assert starts == [1, 0, 0, 0, 1, 0, 0, 0]

    def test_an_entry_in_the_cooldown_is_never_told(self) -> None:
        rules = engine(zone_rule(cooldown_s=2.0))
        events: list[Event] = []
        for step in range(40):
            events += rules.update(tracks_at(step * 0.2, {1: INSIDE, 2: (0.5, 0.5)}))
        assert [event.track_id for event in events] == [1]

    def test_one_rule_does_not_silence_another(self) -> None:
        rules = engine(zone_rule(cooldown_s=60.0), zone_rule(name="other", cooldown_s=60.0))
        assert [event.rule.name for event in rules.update(tracks_at(0, {1: INSIDE}))] == ["r", "other"]

    @pytest.mark.parametrize("make", [zone_rule, line_rule])
    def test_an_unarmed_rule_is_silent(self, make: Callable[..., Rule]) -> None:
        never_now = Schedule(timezone="UTC", windows=(TimeWindow(start_min=600, end_min=660),))
        assert walk(engine(make(schedule=never_now)), 0, straight((0.5, 0.3), (0.5, 0.7), 11)) == []

    def test_someone_inside_when_the_rule_is_armed_is_told_then(self) -> None:
        from_one_minute = Schedule(timezone="UTC", windows=(TimeWindow(start_min=1, end_min=60),))
        events = walk(engine(zone_rule(schedule=from_one_minute)), 58, [INSIDE] * 20)
        assert [at_s(event.start_ns) for event in events] == [pytest.approx(60.0)]

    def test_a_class_the_detector_does_not_know_never_fires(self) -> None:
        assert engine(zone_rule(classes=frozenset({"sheep"}))).update(tracks_at(0, {1: INSIDE})) == []


class TestTime:
    def test_a_frame_that_is_not_newer_is_left_out(self) -> None:
        rules = engine(zone_rule())
        rules.update(tracks_at(10, {}))
        assert rules.update(tracks_at(9, {1: INSIDE})) == []
        assert rules.update(tracks_at(10, {1: INSIDE})) == []

    def test_a_clock_set_back_ends_what_goes_on_and_starts_anew(self) -> None:
        rules = engine(zone_rule(cooldown_s=3600.0))
        first = rules.update(tracks_at(7200, {1: INSIDE}))
        events = rules.update(tracks_at(0, {1: INSIDE}))
        assert ended(events)[0].identity == first[0].identity
        assert at_s(started(events)[0].start_ns) == 0

    def test_at_a_low_detect_rate_the_gap_spans_three_frames(self) -> None:
        rules = engine(loitering(20), detect_fps=0.5)
        events: list[Event] = []
        for step in range(12):
            events += rules.update(tracks_at(step * 2.0, {1: INSIDE} if step != 5 else {}))
        assert at_s(started(events)[0].start_ns) == pytest.approx(20.0)

    def test_frames_older_than_a_tick_still_count(self) -> None:
        rules = engine(zone_rule())
        rules.update(tracks_at(10, {}))
        rules.tick(START_NS + 20 * S)
        assert at_s(started(rules.update(tracks_at(12, {1: INSIDE})))[0].start_ns) == 12


class TestWantsFrames:
    def test_an_empty_scene_wants_none(self) -> None:
        assert not engine(zone_rule(), loitering(name="l"), line_rule(name="x")).wants_frames(START_NS)

    def test_one_who_may_yet_loiter_is_watched_until_it_is_told(self) -> None:
        rules = engine(loitering(30))
        walk(rules, 0, [INSIDE] * 3)
        assert rules.wants_frames(START_NS + 1 * S)

    def test_an_event_is_watched_for_half_a_minute_and_no_longer(self) -> None:
        rules = engine(zone_rule())
        walk(rules, 0, [INSIDE] * 3)
        assert rules.wants_frames(START_NS + EVENT_WATCH_NS - S)
        assert not rules.wants_frames(START_NS + EVENT_WATCH_NS)

    def test_an_unarmed_loitering_rule_wants_none(self) -> None:
        later = Schedule(timezone="UTC", windows=(TimeWindow(start_min=600, end_min=660),))
        rules = engine(loitering(30, schedule=later))
        walk(rules, 0, [INSIDE] * 3)
        assert not rules.wants_frames(START_NS + S)

    def test_nobody_is_watched_after_leaving(self) -> None:
        rules = engine(loitering(30))
        walk(rules, 0, [INSIDE] * 3 + [OUTSIDE] * 15)
        assert not rules.wants_frames(START_NS + 4 * S)


class TestBoundedState:
    def test_more_tracks_than_rows_end_the_oldest_events(self) -> None:
        rules = engine(zone_rule())
        begun = ended_before = 0
        for frame in range(4):
            feet = {frame * 200 + track: INSIDE for track in range(200)}
            events = rules.update(tracks_at(frame * 0.2, feet))
            begun += len(started(events))
            ended_before += len(ended(events))
        assert begun == 800
        assert ended_before == 800 - MAX_TRACKS
        assert begun == ended_before + len(rules.end_all())

    def test_a_frame_with_more_tracks_than_rows_keeps_the_first(self) -> None:
        rules = engine(zone_rule())
        assert len(rules.update(tracks_at(0, dict.fromkeys(range(MAX_TRACKS + 50), INSIDE)))) == MAX_TRACKS

    def test_rows_are_given_back_when_their_tracks_are_gone(self) -> None:
        rules = engine(zone_rule(), line_rule(name="x"))
        for step in range(60):
            rules.update(tracks_at(step * 1.0, {step: INSIDE}))
        assert len(rules._slots) < 10

    @given(data=st.data())
    def test_every_event_starts_once_and_ends_once_whatever_the_tracks_do(self, data: st.DataObject) -> None:
        rules = engine(zone_rule(cooldown_s=1.0), loitering(1.0, name="l"), line_rule(name="x"))
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
        events: list[Event] = []
        t_s = 100.0
        for _ in range(25):
            t_s += float(rng.choice([0.2, 0.2, 0.2, 3.0, 10.0, -1.0]))
            ids = rng.choice(8, size=rng.integers(0, 6), replace=False).tolist()
            feet = {track: (float(rng.uniform()), float(rng.uniform())) for track in ids}
            events += rules.update(tracks_at(t_s, feet, class_id=int(rng.integers(0, 2))))
            if rng.uniform() < 0.2:
                events += rules.tick(START_NS + round(t_s * S))
        events += rules.end_all()
        begins = [event.identity for event in started(events)]
        ends = [event.identity for event in ended(events)]
        assert len(set(begins)) == len(begins)
        assert sorted(begins) == sorted(ends)
        for event in ended(events):
            assert event.end_ns is not None
            assert event.end_ns >= event.start_ns
