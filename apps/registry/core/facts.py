"""Registry facts as the loop holds them: one FACT input sets one field of the market's record."""

from polytraders.contracts.inputs import Fact, Flag
from polytraders.contracts.state import Record
from polytraders.kernel.jit import cold

MS_NS = 1_000_000


@cold
def apply(mk: Record, fact: int, value: int, flags: int) -> None:
    """Set one fact; `known` and `assumed` remember which facts there are and which nobody has confirmed."""
    bit = 1 << fact
    mk.known |= bit
    if flags & Flag.ASSUMED:
        mk.assumed |= bit
    else:
        mk.assumed &= ~bit
    if fact == Fact.VENUE:
        mk.venue = value
    elif fact == Fact.MIN_SIZE:
        mk.min_size = value
    elif fact == Fact.FEE_RATE:
        mk.fee_rate = value
    elif fact == Fact.FEE_EXPONENT:
        mk.fee_exponent = value
    elif fact == Fact.FEE_TAKER_ONLY:
        mk.fee_taker_only = value
    elif fact == Fact.TAKER_DELAY_MS:
        mk.taker_delay_ms = value
    elif fact == Fact.CLOSE_TS:
        mk.close_ts = value
    elif fact == Fact.CLUSTER:
        mk.cluster = value
    else:
        _apply_optional(mk, fact, value)


@cold
def _apply_optional(mk: Record, fact: int, value: int) -> None:
    if fact == Fact.NEG_RISK:
        mk.neg_risk = value
    elif fact == Fact.FEE_BPS:
        mk.fee_bps = value
    elif fact == Fact.STATUS:
        mk.status = value
    elif fact == Fact.ALLOWED:
        mk.allowed = value
    elif fact == Fact.GAP_P999_MS:
        mk.gap_p999_ms = value
    elif fact == Fact.REFERENCE:
        mk.reference = value
    elif fact == Fact.STRIKE:
        mk.strike = value
    elif fact == Fact.CONNECTION:
        mk.connection = value
    elif fact == Fact.SYNCED_TS:
        mk.synced_ts = value
