"""Pure planning: `(observed, now) -> Plan`. No client, no clock, no logger (docs/concepts.md)."""
