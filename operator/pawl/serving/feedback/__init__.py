"""Ground truth for earlier predictions, without a store.

An answer carries a sealed token that says what was predicted, when, by which version (`tokens`).
Whoever learns the truth sends it back with the token, to any pod that has the key; the pod counts
right and wrong for the version that predicted (`ledger`), each token once (`seen`).
"""
