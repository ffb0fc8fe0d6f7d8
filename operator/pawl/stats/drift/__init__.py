"""Has what a model sees, says or achieves left its baseline? From counts only, never from rows.

A window's rows are counted per feature and bin of the baseline, minute by minute and over all pods.
All functions are pure; arrays of all features lie side by side, so sixty features are judged in one
go.

    layout        which cells belong to which feature, and the reference's counts of them
    window        what was counted in one window, as sums over its minutes
    effect        how much less rows that come in bursts say (design effect)
    divergences   psi, js, ks, wasserstein, chi2 (Cramér's V)
    homogeneity   could both samples come from the same mix? (p-value; `chi2` is its distribution)
    decision      Pass, Fail or Inconclusive for every feature, and for shares of missing, unseen
                  and out-of-range values
    fairness      differences of rates between groups
    performance   metrics from feedback against a limit

What the decisions rest on is told in docs/statistics.md.
"""
