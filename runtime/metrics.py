"""Every metric of the system, in one place. Labels are bounded: device ids of the registry, topics, reasons."""

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)

# Cameras: from the wire to the ring.
packets_received = Counter("sharpeyes_packets_received_total", "Encoded packets received", ["camera"])
bytes_received = Counter("sharpeyes_bytes_received_total", "Encoded bytes received", ["camera"])
session_failures = Counter("sharpeyes_session_failures_total", "Camera sessions that ended", ["camera", "reason"])
ring_bytes = Gauge("sharpeyes_ring_bytes", "Bytes held in the packet ring", ["camera", "stream"])

# Frames: from the ring to events.
frames_decoded = Counter("sharpeyes_frames_decoded_total", "Frames decoded", ["camera", "mode"])
packets_skipped = Counter(
    "sharpeyes_packets_skipped_total", "Packets passed over because decoding was too slow for them", ["camera"]
)
frames_dropped = Counter(
    "sharpeyes_frames_dropped_total", "Frames replaced by a newer one before detection", ["camera"]
)
frames_detected = Counter("sharpeyes_frames_detected_total", "Frames a detector looked at", ["camera"])
detect_latency = Histogram(
    "sharpeyes_detect_seconds", "From a live frame's arrival to its rules' answer", buckets=LATENCY_BUCKETS_S
)
events_found = Counter("sharpeyes_events_total", "Events found by rules", ["camera", "kind"])

# Clips and segments.
clips_stored = Counter("sharpeyes_clips_stored_total", "Clips uploaded to the object store")
uploads_failed = Counter("sharpeyes_uploads_failed_total", "Uploads that failed and are tried again")
spool_bytes = Gauge("sharpeyes_spool_bytes", "Bytes waiting in the spool")
clips_lost = Counter("sharpeyes_clips_lost_total", "Clips and snapshots that could not be kept; their alerts say so")
segments_dropped = Counter("sharpeyes_segments_dropped_total", "Segments dropped because the spool or disk was full")

# Devices over MQTT.
mqtt_messages = Counter("sharpeyes_mqtt_messages_total", "MQTT messages by what became of them", ["kind", "outcome"])

# Alerts: ledger, outbox and bus.
alert_revisions = Counter("sharpeyes_alert_revisions_total", "Alert revisions committed", ["kind", "change"])
outbox_waiting = Gauge("sharpeyes_outbox_waiting", "Messages committed but not yet on the bus", ["ledger"])
published = Counter("sharpeyes_published_total", "Messages the bus has taken", ["topic"])
publish_failures = Counter("sharpeyes_publish_failures_total", "Batches the bus did not take; tried again")
press_gaps = Counter("sharpeyes_press_gaps_total", "Presses whose sequence number shows that earlier ones never came")
case_updates = Counter("sharpeyes_case_updates_total", "Case updates by what became of them", ["outcome"])


_OF_A_CAMERA = (
    packets_received,
    bytes_received,
    session_failures,
    ring_bytes,
    frames_decoded,
    packets_skipped,
    frames_dropped,
    frames_detected,
    events_found,
)


def forget_camera(camera_id: str) -> None:
    """Drop the series of a camera that is watched no longer: what it held is not held, and labels stay bounded."""
    for metric in _OF_A_CAMERA:
        metric.remove_by_labels({"camera": camera_id})
