"""Stage 8: Order manager and reconciliation.

Where is each order in its life, and does the venue agree?

One table of allowed steps from creation to the end; what is not known stays open until there is evidence; our orders
are compared with the venue's list.

In:     ApprovedTrade, venue reports
Out:    Order, Fill, differences
Codes:  EXEC_FILL, EXEC_RESTING, EXEC_CANCELLED and the other codes of an order's life, GOV_RECONCILE_MISMATCH
Never:  makes an order without an approval; takes silence for a no; asks permission to cancel.
Change: allowed steps are a table: `apps/oms/core/lifecycle.py`.
"""
