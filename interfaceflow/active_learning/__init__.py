"""Which frames to label, and when the loop has learned enough."""
