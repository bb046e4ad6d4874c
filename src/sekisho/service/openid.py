"""The providers of OpenID Connect that the settings name."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.openid import OpenIdDesk, Provider
from sekisho.people.throttle import Throttle
from sekisho.service.faults import BAD_SETTINGS
from sekisho.service.settings import SETTINGS_FILE, OpenId

_SECONDS: Final = 10.0


@asynccontextmanager
async def providers(
    ledger: Ledger, state: Path, settings: tuple[OpenId, ...]
) -> AsyncIterator[Callable[[str, Throttle], tuple[OpenIdDesk, ...]]]:
    """What makes the desks, given the console's address. Raises Fault BAD_SETTINGS for a file that cannot be read."""
    async with AsyncExitStack() as stack:
        ready = []
        for one in settings:
            try:
                secret = (state / one.secret_file).read_text(encoding="utf-8").strip()
                tls = ssl.create_default_context(cafile=str(state / one.ca_file) if one.ca_file else None)
            except (OSError, UnicodeDecodeError) as error:
                raise Fault(
                    BAD_SETTINGS, path=state / SETTINGS_FILE, reason=f"openid {one.name}: {error}"
                ) from error
            http = httpx2.AsyncClient(verify=tls, timeout=_SECONDS, follow_redirects=False)
            ready.append((one, secret, await stack.enter_async_context(http)))

        def desks(console: str, throttle: Throttle) -> tuple[OpenIdDesk, ...]:
            return tuple(
                OpenIdDesk(ledger, provider_of(one, secret, console), http, throttle=throttle)
                for one, secret, http in ready
            )

        yield desks


def provider_of(one: OpenId, secret: str, console: str) -> Provider:
    local = one.second_factor == "local"
    return Provider(
        issuer=one.issuer,
        client_id=one.client_id,
        client_secret=secret,
        redirect_uri=f"{console}/login/openid/{one.name}/callback",
        required_amr=frozenset() if local else frozenset(one.amr),
        required_acr=frozenset() if local else frozenset(one.acr),
        local_code=one.second_factor != "provider",
        name=one.name,
        label=one.label,
    )
