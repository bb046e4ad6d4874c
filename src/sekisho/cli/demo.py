"""`sekisho demo`: the acts, at a checkpoint of their own."""

import sys

import click

from sekisho.demo.play import play
from sekisho.demo.population import DEFAULT_PERSONS, MOST_PERSONS
from sekisho.faults import Language, preferred_language
from sekisho.service.logs import configure_logs
from sekisho.service.loop import run


@click.command()
@click.option(
    "--persons", type=click.IntRange(100_000, MOST_PERSONS), default=DEFAULT_PERSONS, show_default=True
)
@click.option(
    "--once", is_flag=True, help="End after the last step; the status says whether all ended as they should."
)
@click.option(
    "--lang", type=click.Choice(["ja", "en"]), help="Language of what is shown (from the locale otherwise)."
)
@click.option("--postgres-port", default=0, help="The door's port; 0 takes a free one.")
@click.option("--console-port", default=0, help="The console's port; 0 takes a free one.")
def demo(persons: int, once: bool, lang: str | None, postgres_port: int, console_port: int) -> None:
    """Play the acts at a checkpoint of its own, on loopback, and stay up until Ctrl-C."""
    configure_logs()
    language: Language = "ja" if (lang or preferred_language()) == "ja" else "en"
    went_well = run(
        play(
            persons=persons,
            once=once,
            language=language,
            postgres_port=postgres_port,
            console_port=console_port,
        )
    )
    sys.exit(0 if went_well else 1)
