"""Apache Kafka 4.1 (KRaft, one node). Topics are NOT made by themselves, as on a careful production cluster."""

import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode

from tests.servers.cache import find_program, kafka_libs, require
from tests.servers.process import HOST, ServerProcess, free_port

METADATA_REQUEST = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", -1)
"""Metadata, version 1, correlation id 1, no client id, all topics."""


class Kafka(ServerProcess):
    """`bootstrap` is HOST:PORT."""

    name = "kafka"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self._controller_port = free_port()
        self.bootstrap = f"{HOST}:{self.port}"

    def prepare(self) -> None:
        (self.folder / "server.properties").write_text(self._properties())
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        format_command = [*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster_id]
        subprocess.run(
            [*format_command, "-c", str(self.folder / "server.properties")], check=True, capture_output=True, timeout=60
        )

    def command(self) -> list[str]:
        return [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]

    def is_ready(self) -> bool:
        """Whether the broker names itself and a controller in a metadata answer."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
                answer = connection.recv(65536)
        except OSError:
            return False
        return len(answer) > 12 and struct.unpack_from(">i", answer, 8)[0] >= 1

    def _java(self) -> list[str]:
        libs = require(kafka_libs(), f"Apache Kafka {kafka_libs().parent.name}")
        small_and_quick = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [find_program("java"), *small_and_quick, "-cp", f"{libs}/*"]

    def _properties(self) -> str:
        return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{HOST}:{self._controller_port}
listeners=PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{self._controller_port}
advertised.listeners=PLAINTEXT://{HOST}:{self.port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={self.folder}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
controlled.shutdown.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=400
"""
