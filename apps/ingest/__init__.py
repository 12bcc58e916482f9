"""Stage 2: Ingestion and order-book reconstruction.

What does the book look like now, and may we believe it?

Applies decoded rows to one book a market, in YES terms, and compares it with whatever the venue says about itself: best
prices, the mirrored token, later whole books. After anything that does not fit, the book waits for a whole one.

In:     decoded rows (SNAP_*, LEVEL, TRADE, REFUSED, GAP inputs)
Out:    BookSnapshot, valid or refused
Codes:  INTEL_FRAME_*, INTEL_BOOK_*, and the other codes of the door
Never:  repairs a book by guessing; drops a message for being old, since venue times step back as a matter of course.
Change: what may be believed is code: `apps/ingest/core/book.py`; how old a book may be, `polytraders/limits.toml`.
"""
