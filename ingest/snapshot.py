"""A frame as a JPEG in the spool: the plain picture; the alert carries the box. Blocks for the encoding and the disk.

Raises `UnavailableError` when the spool refuses: the alert then goes out without a picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from ulid import ULID

from alerts.contract import ObjectRef
from ingest.object_key import ObjectKind
from ingest.packet import Frame
from ingest.spool import Spool
from ingest.spool_record import SpoolRecord
from runtime.errors import UnavailableError

MAX_SIDE_PX = 1920
"""Enough to recognise what happened, and an upper bound for what an 8K camera makes of an alert."""

QUALITY = 85


def save_snapshot(spool: Spool, frame: Frame, alert_id: str) -> ObjectRef:
    """Put the frame's picture into the spool; the reference is good at once, the object follows by the uploader."""
    content = encode_jpeg(frame)
    record = SpoolRecord(
        object_id=str(ULID()),
        kind=ObjectKind.SNAPSHOT,
        camera_id=frame.stamp.camera_id,
        start_ns=frame.stamp.t_ns,
        end_ns=frame.stamp.t_ns,
        alert_ids=(alert_id,),
    )
    file = spool.begin(record)
    try:
        file.write(content)
        finished = spool.finish(file, record)
    except (OSError, UnavailableError) as error:
        spool.lose(record, str(error), file)
        raise UnavailableError(f"the snapshot cannot be kept: {error}") from None
    return ObjectRef(
        key=finished.key,
        content_type=finished.kind.content_type,
        size_bytes=finished.size_bytes,
        sha256=finished.sha256,
    )


def encode_jpeg(frame: Frame, max_side_px: int = MAX_SIDE_PX) -> bytes:
    """The picture as JPEG, scaled down so that no side is longer than `max_side_px`."""
    scale = min(1.0, max_side_px / max(frame.width_px, frame.height_px))
    width_px, height_px = (max(2, round(side * scale / 2) * 2) for side in (frame.width_px, frame.height_px))
    return jpeg_of(frame.bgr(width_px, height_px))


def jpeg_of(bgr: NDArray[np.uint8]) -> bytes:
    """A (height, width, 3) uint8 BGR picture as JPEG."""
    is_encoded, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not is_encoded:
        raise UnavailableError("the picture cannot be encoded as JPEG")
    return bytes(content)
