"""Stage 5: Fair-value engine.

What is a YES share worth, and how sure are we?

Turns features into a probability (logistic score, or a walk with drift for price targets), calibrates it on outcomes,
and puts a 10 % to 90 % band and an uncertainty buffer around it.

In:     FeatureVector, reference prices
Out:    FairValue (p_hat, lower, upper, buffer)
Codes:  STRAT_FEATURES_INCOMPLETE, STRAT_REFERENCE_STALE, STRAT_NO_OPINION, STRAT_BAND_WIDE
Never:  gives a number without a band; trades on a window that was not observed.
Change: a strategy is a pure function with a typed template: `polytraders/strategies/`.
"""
