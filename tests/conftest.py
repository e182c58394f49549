"""Fixtures of the whole test tree: the real servers, started only by the tests that ask for them.

How many examples a property is tried on is chosen here alone: HYPOTHESIS_PROFILE=thorough (`make thorough`) or not.
"""

import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.fixtures"]

# A busy machine is no failure: neither a single example nor making them has a time limit of its own.
_patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("everyday", _patient, max_examples=25)
settings.register_profile("thorough", _patient, max_examples=500)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "everyday"))
