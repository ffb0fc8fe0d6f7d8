"""The objects that Pawl creates, as JSON."""
