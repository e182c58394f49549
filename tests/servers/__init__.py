"""The real servers of the tests, each started without Docker on a port of its own."""
