"""Stage 7: Decision, risk, and sizing.

Is this trade allowed, and how large may it be?

Edge after price, fees and uncertainty; all checks, always, each with its value and limit; the size as the smallest of
the strategy's, the book's and the portfolio's caps. The first rejection in the list's order names the verdict.

In:     FairValue, ExecutionEstimate, positions, limits, kills
Out:    DecisionPacket; ApprovedTrade when every vote that counts approves
Codes:  the RISK family, STRAT_NO_EDGE, STRAT_HOLD, STRAT_AWAITING_RANK, STRAT_EDGE_DETECTED, GOV_ROLLOUT_STAGE
Never:  lets anything past the gate, whoever asks; reads a clock, a database or the venue; sends an order.
Change: limits: on the page Risk, or `polytraders limits NAME VALUE`; a check is a function, a line in
        `polytraders/contracts/checks.py`, a code and a test.
"""
