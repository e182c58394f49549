import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import Backoff


@given(st.integers(min_value=1, max_value=200), st.integers())
def test_each_delay_lies_between_half_and_all_of_its_step(tries: int, seed: int) -> None:
    backoff = Backoff(first_s=0.5, max_s=30, rng=random.Random(seed))
    for failures in range(tries):
        step_s = min(30, 0.5 * 2**failures)
        assert step_s / 2 <= backoff.next_s() <= step_s


def test_delays_grow_to_the_longest_and_start_anew_after_a_success() -> None:
    backoff = Backoff(first_s=1, max_s=8, rng=random.Random(1))
    delays_s = [backoff.next_s() for _ in range(10)]
    assert max(delays_s[:1]) <= 1
    assert all(4 <= delay_s <= 8 for delay_s in delays_s[3:])
    backoff.reset()
    assert backoff.next_s() <= 1


def test_a_thousand_peers_do_not_return_at_once() -> None:
    delays_s = [Backoff(first_s=10, rng=random.Random(peer)).next_s() for peer in range(1000)]
    in_any_tenth = [sum(low <= delay_s < low + 0.5 for delay_s in delays_s) for low in (5, 6, 7, 8, 9)]
    assert max(in_any_tenth) < 200
