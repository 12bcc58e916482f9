"""Stage 6: Execution estimate. It predicts a fill and never sends an order.

At what price would this size fill, and would it fill at all?

Walks the book for the expected price, adds the fees, and estimates the probability of a fill and the time to it.

In:     the valid book, the strategy's wish, the fee schedule
Out:    ExecutionEstimate (q_exec, slippage, fees, p_fill)
Codes:  EXEC_UNFILLABLE
Never:  sends, changes or cancels an order; shares code with the paper venue, or it would grade itself.
Change: the walk is `apps/execution/core/walk.py`; fees are facts of the market.
"""
