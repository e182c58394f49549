"""What comes in: camera sessions, packet rings, clips, object storage, MQTT call boxes and sensors."""
