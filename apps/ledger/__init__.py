"""Stage 9: Inventory, settlement, and accounting.

What do we hold, what is promised, and what has been earned?

Positions with average cost, capital that is free or held, profit realised and not, redemption after resolution; every
movement is one amount from one account to another.

In:     Fill, resolutions, deposits
Out:    Transfer, Position
Codes:  EXEC_LEDGER_*
Never:  books an event twice; changes what was booked; rounds in our favour.
Change: it is not changed; a new kind of movement is a line in `apps/ledger/core/transfers.py` and a migration.
"""
