"""The baseline of presses: paho and aiokafka in a straight line; no repeats found, nothing kept, no box answered.

`python bare_bridge.py HOST PORT BOOTSTRAP TOPIC`, until it is ended.
"""

import asyncio
import sys

from aiokafka import AIOKafkaProducer
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion


async def main() -> None:
    host, port, bootstrap, topic = sys.argv[1:]
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    loop = asyncio.get_running_loop()

    def forward(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        key = message.topic.split("/")[3].encode()
        asyncio.run_coroutine_threadsafe(producer.send(topic, message.payload, key), loop)

    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="bare-bridge")
    client.on_message = forward
    client.on_connect = lambda client, *_: client.subscribe("sharpeyes/v1/callbox/+/event", 1)
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect(host, int(port))
    client.loop_start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
