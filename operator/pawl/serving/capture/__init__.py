"""The server's side of `pawl.capture`: which rows are captured, and how they get into the spool."""
