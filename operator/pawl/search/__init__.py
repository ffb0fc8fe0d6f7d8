"""The search for parameters: optuna's samplers and pruners, in a process of their own.

`study` is the search itself, `protocol` what is said over stdin and stdout, `python -m pawl.search`
the process. It knows no cluster and no store.
"""
