"""Many simulated rollouts at once: what benchmarks.decisions counts.

twin      numpy twins of pawl.stats.sequential (a unit test holds them to the originals)
world     traffic: schedules, base rates that move, users who stick
gates     the six gates of the simulated rollout
peers     rules of other tools
oracle    the fixed-sample test that knows the effect
"""
