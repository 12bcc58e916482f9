"""Where the outside world is: the real venues, or the simulated exchange that speaks for all of them."""

from typing import Final, NamedTuple

from polytraders.venues.binance.feed import URL as BINANCE_URL

MARKET_URL: Final = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
GAMMA_URL: Final = "https://gamma-api.polymarket.com"
CLOB_URL: Final = "https://clob.polymarket.com"


class Addresses(NamedTuple):
    """Base addresses.

    Attributes:
        market: WebSocket of the market channel.
        reference: Base of the reference stream.
        gamma: Base of the catalogue.
        clob: Base of the books and the venue's clock.
    """

    market: str
    reference: str
    gamma: str
    clob: str

    @classmethod
    def of(cls, venue: str, simulator_url: str | None) -> "Addresses":
        """Those of `venue`: "polymarket", or "simulator" at `simulator_url`, http://127.0.0.1:port.

        Raises:
            ValueError: The simulator's address is needed and not known.
        """
        if venue == "polymarket":
            return cls(MARKET_URL, BINANCE_URL, GAMMA_URL, CLOB_URL)
        if not simulator_url:
            raise ValueError("POLYTRADERS_SIMULATOR_URL is not set: start with `polytraders up`")
        socket = simulator_url.replace("http", "ws", 1)
        return cls(f"{socket}/ws/market", socket, simulator_url, simulator_url)
