import pytest


pytestmark = pytest.mark.e2e


async def test_a_lookup_passes_and_is_masked(checkpoint) -> None:
    ticket = await checkpoint.ticket()
    run = await checkpoint.psql(ticket, "SELECT customer_id, name, phone, plan FROM minato.customers WHERE customer_id = 7")
    assert run.stdout == "x"
    assert run.status == 0, run.stderr
