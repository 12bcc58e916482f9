"""Stage 3: Canonical state and the event log.

What happened, in which order, and can it be proved?

Numbers the inputs without a gap, stamps their lag, and chains inputs and outputs by SHA-256, so that two runs can be
compared by one line and a changed byte is found.

In:     inputs and outputs of the loop
Out:    Event, and the heads of the chains
Codes:  GOV_EVENT_ORDER, GOV_CHAIN_BROKEN
Never:  reorders by a venue's time; imports another stage.
"""
