"""Tests that may be looked at every few seconds: verdicts from e-processes.

An e-process is a wealth that starts at 1 and, while its null hypothesis is true, is not expected to
grow whenever one stops. So P(it ever reaches 1/α) ≤ α (Ville 1939), without any correction for
looking often. Each gate has two of them: *Fail* bets against "the candidate is not worse", *Pass*
bets against "the candidate is worse by the margin or more". All functions are pure, states are
frozen, small, and survive in `.status` as a string: `load(dump(state))`.

    proportions   share of bad events, candidate against stable (error rate, accuracy, …)
    latency       share of requests slower than a multiple of stable's quantile
    psi           population stability index of the scores of both arms
    mean          mean of numbers in [0, 1] against a limit (disagreement of the shadow)
    ratio         does the router share out the traffic as it was told?
    clusters      how much less correlated requests say (design effect)
    planning      how many requests a verdict needs

What the numbers rest on is told in docs/statistics.md.
"""
