"""A call box in software that keeps the MQTT contract as a good device does: for demos, installers and tests.

Repeats each press every `REPEAT_S` until it hears `ack`, numbers presses over restarts, leaves a last will. paho runs
on a thread of its own and hands over what it hears through a queue; everything else runs on the caller's thread, which
calls `step` again and again. A broker that is away is tried again for ever; `is_connected` says how it stands.
"""

import queue
import time
from collections.abc import Callable
from typing import Any

import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from alerts.call import BoxKey
from ingest.callbox_memory import CallBoxMemory, Press
from ingest.device_messages import TOPIC_ROOT
from ingest.mqtt_target import MqttTarget

REPEAT_S = 3.0
KEEPALIVE_S = 30
MAX_RECONNECT_S = 5
MAX_UNHEARD = 1000
"""Words that wait for `step`; a bridge sends a box a handful in a call."""


class Word(msgspec.Struct, frozen=True):
    """What a box is told: `call` names the call, `boot` and `seq` the press that is acknowledged."""

    cmd: str
    call: str | None = None
    boot: str | None = None
    seq: int | None = None


class SimulatedCallBox:
    """`with SimulatedCallBox(...) as box: box.press(BoxKey.CALL)`, then `box.step(...)` in a loop."""

    def __init__(self, target: MqttTarget, callbox_id: str, memory: CallBoxMemory) -> None:
        self.callbox_id = callbox_id
        self.memory = memory
        self._target = target
        self._topic = f"{TOPIC_ROOT}/callbox/{callbox_id}"
        self._heard: queue.Queue[Word] = queue.Queue(MAX_UNHEARD)
        self._repeat_at_s = 0.0
        self._client = self._new_client()

    def __enter__(self) -> "SimulatedCallBox":
        self._client.connect_async(self._target.host, self._target.port, KEEPALIVE_S)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        """Switched off in order: the state says so, as the last will would."""
        self._client.publish(f"{self._topic}/state", b'{"state": "lost"}', qos=1, retain=True)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected()

    def press(self, key: BoxKey) -> Press:
        """Press a key; it goes out now and again until it is acknowledged."""
        press = self.memory.press(key, time.time_ns() // 1_000_000)
        self._send(press)
        self._repeat_at_s = time.monotonic() + REPEAT_S
        return press

    def step(self, timeout_s: float) -> Word | None:
        """Wait up to `timeout_s` for a word; repeats presses that are due. None when nothing was heard."""
        if time.monotonic() >= self._repeat_at_s and self.is_connected:
            for press in self.memory.waiting:
                self._send(press)
            self._repeat_at_s = time.monotonic() + REPEAT_S
        try:
            word = self._heard.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if word.cmd == "ack":
            self.memory.acknowledged(word.boot, word.seq)
        elif word.cmd == "closed" and word.call:
            self.memory.call_ended(word.call)
        return word

    def _send(self, press: Press) -> None:
        if self.is_connected:
            self._client.publish(f"{self._topic}/event", msgspec.json.encode(press), qos=1)

    def _new_client(self) -> paho.Client:
        is_v5 = self._target.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.callbox_id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
        )
        if self._target.username is not None:
            password = self._target.password
            client.username_pw_set(self._target.username, password.reveal() if password else None)
        if self._target.tls:
            client.tls_set_context(self._target.tls_context())
        client.reconnect_delay_set(1, MAX_RECONNECT_S)
        client.will_set(f"{self._topic}/state", b'{"state": "lost"}', qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        return client

    # On paho's thread.

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            return
        client.subscribe(f"{self._topic}/cmd", qos=1)
        ready = {"state": "ready", "battery": 1.0, "fw": "simulated"}
        client.publish(f"{self._topic}/state", msgspec.json.encode(ready), qos=1, retain=True)
        self._repeat_at_s = 0.0

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if message.topic != f"{self._topic}/cmd":
            return
        try:
            self._heard.put_nowait(msgspec.json.decode(message.payload, type=Word))
        except (msgspec.MsgspecError, queue.Full):
            return  # a box passes over what it does not understand


def press_and_wait(
    box: SimulatedCallBox,
    keys: list[BoxKey],
    wait_for: str | None,
    timeout_s: float,
    tell: Callable[[Word], None],
) -> bool:
    """Press the keys one after the other, each once the one before is acknowledged; then wait for a word.

    False when that has not happened within `timeout_s`. A `closed` of a call that had ended before does not count.
    """
    deadline_s = time.monotonic() + timeout_s
    ended_before = box.memory.ended_call
    left = list(keys)
    pressed = False
    is_heard = wait_for is None
    while left or box.memory.waiting or not is_heard:
        if time.monotonic() > deadline_s:
            return False
        if left and box.is_connected and not box.memory.waiting:
            box.press(left.pop(0))
            pressed = True
        word = box.step(0.05)
        if word is not None:
            tell(word)
            is_heard = is_heard or (word.cmd == wait_for and (pressed or not keys) and word.call != ended_before)
    return True
