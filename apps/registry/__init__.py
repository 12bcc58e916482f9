"""Stage 1: Market registry and instrument truth.

What is this market, and do we know enough about it to trade it?

Keeps one record of each market: tokens, status, tick, smallest order, fees, delay, close, cluster, and when all was
last confirmed. Everybody else reads this one, so nobody can disagree about what a price or a fee is.

In:     registry facts (FACT and TICK_SIZE inputs)
Out:    Market
Codes:  GOV_INSTRUMENT_*, INTEL_REGISTRY_STALE
Never:  fills in a fact that it was not told; a missing one is missing, and stage 7 refuses the market.
Change: facts come from the venue, every few minutes; a file can only assume them in a replay (`--registry`).
"""
