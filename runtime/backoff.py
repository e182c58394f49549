"""How long to wait before the next try: exponential with jitter, so that a thousand peers do not return at once."""

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays that double from `first_s` to at most `max_s`, each drawn between half and all of its step."""

    first_s: float = 0.5
    max_s: float = 30.0
    rng: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next_s(self) -> float:
        """The delay before the next try, in seconds; counts one failure."""
        step_s = min(self.max_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return step_s * self.rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forget the failures: the last try succeeded for long enough."""
        self.failures = 0
