"""The baseline's detector: onnxruntime alone, run so many times a second on one input, until it is ended.

`python bare_inference.py MODEL_FILE WIDTH HEIGHT RATE`: its own process, nothing of ours around it.
"""

import sys
import time

import numpy as np
import onnxruntime


def main() -> None:
    model, width, height, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    picture = np.random.default_rng(0).normal(110, 60, (1, 3, height, width)).astype(np.float32)
    session.run(None, {name: picture})
    print("ready", flush=True)
    due_s = time.monotonic()
    while True:
        session.run(None, {name: picture})
        due_s += 1 / rate
        time.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    main()
