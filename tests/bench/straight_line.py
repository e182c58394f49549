"""The baseline for latency: PyAV, onnxruntime and aiokafka in a straight line, and nothing kept anywhere.

`python straight_line.py BOOTSTRAP TOPIC MODEL_FILE WIDTH HEIGHT RATE URL...`, until it is ended. A thread a camera
decodes every frame, infers on RATE a second, and sends records that hold the time their packet came (ns).
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable

import av
import numpy as np
import onnxruntime
from aiokafka import AIOKafkaProducer

PADDING = b" " * 1000
"""Records as long as alerts."""

Found = Callable[[int], None]


def watch(url: str, session: onnxruntime.InferenceSession, size: tuple[int, int], rate: float, found: Found) -> None:
    """One camera, for ever."""
    name, due_s = session.get_inputs()[0].name, 0.0
    with av.open(url, options={"rtsp_transport": "tcp"}) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            came_ns = time.time_ns()
            for frame in packet.decode():
                if time.monotonic() < due_s:
                    continue
                due_s = max(due_s + 1 / rate, time.monotonic() - 1 / rate)
                picture = frame.to_ndarray(width=size[0], height=size[1], format="bgr24")
                session.run(None, {name: np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)})
                found(came_ns)


async def main() -> None:
    bootstrap, topic, model, width, height, rate, *urls = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all")
    await producer.start()
    loop = asyncio.get_running_loop()

    def found(came_ns: int) -> None:
        asyncio.run_coroutine_threadsafe(producer.send(topic, str(came_ns).encode() + PADDING), loop)

    size = (int(width), int(height))
    for url in urls:
        threading.Thread(target=watch, args=(url, session, size, float(rate), found), daemon=True).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
