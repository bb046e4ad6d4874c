"""How much may pass, in persons and rows."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that may pass. `session`, `day` (JST, per worker), `ticket`, and `client` (worker x client
    organisation, for as long as Sekisho remembers) each bound persons and rows."""

    session_persons: int
    session_rows: int
    day_persons: int
    day_rows: int
    ticket_persons: int
    ticket_rows: int
    client_persons: int
    client_rows: int

    def sensible(self) -> bool:
        return all(value >= 0 for value in msgspec.structs.astuple(self))

    def within(self, largest: "Limits") -> bool:
        """Whether no limit is above the one of `largest`."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(largest), strict=True)
        return all(asked <= most for asked, most in pairs)
