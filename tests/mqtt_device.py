"""A device of the tests: paho's own client, so that the tests do not speak through the code they test."""

import json
import threading
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.waiting import wait_until

TIMEOUT_S = 10


class MqttDevice:
    """`with MqttDevice(host, port, "box-1") as device`; `heard` holds the JSON of its `cmd` topic in order."""

    def __init__(
        self,
        host: str,
        port: int,
        device_id: str,
        *,
        kind: str = "callbox",
        version: str = "3.1.1",
        password: str | None = None,
    ) -> None:
        self.device_id = device_id
        self.topic = f"sharpeyes/v1/{kind}/{device_id}"
        self.heard: list[dict[str, Any]] = []
        self._address = (host, port)
        self._ready = threading.Event()
        protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=device_id, protocol=protocol)
        if password is not None:
            self.client.username_pw_set(device_id, password)
        self.client.will_set(f"{self.topic}/state", '{"state": "lost"}', qos=1, retain=True)
        self.client.on_connect = lambda client, *_: client.subscribe(f"{self.topic}/cmd", 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _client, _data, message: self.heard.append(json.loads(message.payload))

    def __enter__(self) -> "MqttDevice":
        self.client.connect(*self._address)
        self.client.loop_start()
        assert self._ready.wait(TIMEOUT_S), "the broker did not let the test's device in"
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, channel: str, payload: object, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the broker's PUBACK; bytes and text go as they are, all else as JSON."""
        raw = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        wait_until(self.client.is_connected, TIMEOUT_S, f"{self.device_id} to be connected")
        self.client.publish(f"{self.topic}/{channel}", raw, qos=1, retain=retain).wait_for_publish(TIMEOUT_S)

    def press(self, key: str, seq: int, boot: str = "boot-1") -> None:
        self.publish("event", {"boot": boot, "seq": seq, "key": key, "t_ms": 1})

    def vanish(self) -> None:
        """Lose power: the connection ends without a word, the broker sends the last will."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def commands(self) -> list[str]:
        """What the box has heard, as words."""
        return [str(message["cmd"]) for message in self.heard]

    def wait_for(self, command: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """The first message with that command."""
        wait_until(
            lambda: command in self.commands(), timeout_s, f"{self.device_id} to hear {command!r}, heard {self.heard}"
        )
        return next(message for message in self.heard if message["cmd"] == command)
