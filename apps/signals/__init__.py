"""Stage 4: Signal engine.

What can be measured about this market right now?

Spread, mid, imbalance, depth, and flow and volatility over 60 seconds, 5 minutes and an hour, each window with the part
of it that was really observed.

In:     the valid book and the trades
Out:    FeatureVector
Codes:  INTEL_SCALE_INVALID
Never:  decides whether to trade; lets a gap pass for a quiet market.
Change: a measure is a field of FeatureVector and a line in `apps/signals/core/features.py`.
"""
