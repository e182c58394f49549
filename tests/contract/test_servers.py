"""The server fixtures are the real things, and answer as such."""

import psycopg

from tests.servers.kafka import Kafka
from tests.servers.postgres import Postgres


def test_postgres_is_postgresql_15_or_later(postgres: Postgres) -> None:
    with psycopg.connect(postgres.create_database()) as connection:
        assert connection.info.server_version >= 150000


def test_kafka_comes_back_on_its_port_after_a_kill(own_kafka) -> None:
    kafka: Kafka = own_kafka()
    kafka.kill()
    assert not kafka.is_ready()
    kafka.start()
    assert kafka.is_ready()
