"""What a server pod saw, counted for the operator: per second and per minute, in memory that the
pod's processes share, answered on a port that is never routed.

recorder (hot path: remembers) -> flush (counts, vectorised) -> memory (rings of rows) -> snapshot
(sums over time and processes) -> http. Rows likewise: features -> counting -> steps -> pages, in
the cells of the version's baseline. No value of a feature is ever told.
"""
