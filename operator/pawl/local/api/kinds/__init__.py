"""What is special about each kind: defaults, what may change, validation, selectable fields."""
