"""Captured rows: sampled predictions and the truth about them, as parquet in a store.

Servers write what they captured into a folder of their pod (`spool`), a writer beside them turns
it into parquet files of a store (`writer`), and commands list, join, erase and expire those files.
Serving processes load `config`, `keyed`, `names` and `spool` only; pyarrow is the others'.
"""
