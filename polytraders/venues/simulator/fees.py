"""The simulated exchange's own fee table. Nothing here comes from the code that it is used to check.

Takers pay rate x shares x (p (1 - p))^exponent in pUSD, rounded to five decimals, halves up; below 0.00001, nothing.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

STEP: Final = Decimal("0.00001")


class Schedule(NamedTuple):
    """Fees of a market: the venue's name for them, decimal texts, and the part given back to makers."""

    name: str
    rate: str
    rebate: str
    exponent: int = 1
    taker_only: bool = True

    def taker_fee(self, price: Decimal, shares: Decimal) -> Decimal:
        """What the taker of a fill pays, pUSD.

        Args:
            price: Of the token traded, pUSD; the fee is the same for its complement.
            shares: More than 0.
        """
        fee = Decimal(self.rate) * shares * (price * (1 - price)) ** self.exponent
        return fee.quantize(STEP, ROUND_HALF_UP) if fee >= STEP else Decimal(0)

    def row(self) -> dict[str, Any]:
        """For the admin port."""
        return {**self._asdict(), "maker_rate": "0"}


CRYPTO: Final = Schedule("crypto_fees_v2", "0.07", "0.2")
SPORTS: Final = Schedule("sports_fees_v3", "0.05", "0.15")
POLITICS: Final = Schedule("politics_fees", "0.04", "0.25")
CULTURE: Final = Schedule("culture_fees", "0.05", "0.25")
