"""Stage 10: Replay, backtesting, and validation.

Would we decide the same again, and were the predictions right?

Feeds recorded inputs to the same loop, compares the outputs byte by byte and names the first difference; scores
forecasts (Brier) and fills (slippage).

In:     recorded inputs and outputs
Out:    ReplayReport; a row for each nightly one
Codes:  GOV_REPLAY_*
Never:  uses another loop than live trading; reads anything that was not known at the moment;
        changes a row of the log, or makes the loop wait.
Change: it has no settings; it runs each night, or on the page Replays.
"""
