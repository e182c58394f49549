"""Fixtures of the whole test tree: the real servers, started only by the tests that ask for them."""

pytest_plugins = ["tests.servers.fixtures"]
