"""Tests: unit (no server), contract (one suite, every implementation), integration (real servers), bench."""
