"""The call centre's invented population: client organisations, their customers and calls.

    columns         what the tables hold, and as which data item
    organisations   the 69 clients, their sizes and what they hold; scaled to any number of persons
    names           family and given names with their readings
    places          real prefectures with invented cities, and telephone numbers that nobody has
    customers       the rows of `customers` and `calls`, by seed, as COPY text
    schema          tables, the view without personal data, one read-only role per client
    load            everything into a PostgreSQL database, with progress

Nothing here describes a real person or organisation. The same seed gives the same bytes: a row depends on the
seed, its organisation and its number only, so a larger population continues a smaller one.
"""

from sekisho.demo.population.columns import Column
from sekisho.demo.population.customers import customers, rows
from sekisho.demo.population.load import Secret, load
from sekisho.demo.population.organisations import DEFAULT_PERSONS, MOST_PERSONS, Organisation, organisations

__all__ = [
    "DEFAULT_PERSONS",
    "MOST_PERSONS",
    "Column",
    "Organisation",
    "Secret",
    "customers",
    "load",
    "organisations",
    "rows",
]
