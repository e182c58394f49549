"""What frames mean: motion gate, tracker, zones, rules and the camera pipeline."""
