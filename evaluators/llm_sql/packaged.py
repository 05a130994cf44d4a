"""Real tables that Python packages carry (the extra `tables`): no download.

- superstore, routes, films, titanic: `bokeh-sampledata` (Tableau's sample of sales; flights of US airlines, here joined
  with the airports at both ends; films of the Open Movie Database; passengers).
- cars: `vega-datasets`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING

from adrs.errors import InputError
from evaluators.llm_sql.files import from_frame
from evaluators.llm_sql.table import Table

if TYPE_CHECKING:
    import pandas as pd

FAMILIAR = ("superstore", "routes")
SHIFTED = ("films", "titanic", "cars")


def packaged_table(name: str) -> Table:
    """One of the tables above, rows in the order of the file.

    Raises:
        InputError: its package is not installed.
    """
    try:
        return from_frame(_LOADERS[name]())
    except ImportError as error:
        package = str(error.name).replace("_", "-")
        raise InputError(f"options.packaged: needs {package}: pip install 'adrs-toolkit[tables]'") from None


def _superstore() -> pd.DataFrame:
    return _bokeh("SampleSuperstore.csv.gz")


def _routes() -> pd.DataFrame:
    airports = _bokeh("airports.csv")[["AirportID", "Name", "City", "Country", "Altitude", "Type"]]
    routes = _bokeh("routes.csv.gz")[["Airline", "AirlineID", "SourceID", "DestinationID"]]
    for end in ("Source", "Destination"):
        at = airports.rename(columns={"AirportID": "ID"}).add_prefix(end)
        routes = routes.merge(at, on=f"{end}ID")
    return routes


def _films() -> pd.DataFrame:
    import pandas as pd

    columns = 'Title, Year, Rating, Runtime, Genre, Director, Writer, "Cast", Language, Country, Awards'
    with sqlite3.connect(str(files("bokeh_sampledata") / "_data" / "movies.db")) as database:
        return pd.read_sql(f"SELECT {columns} FROM omdb ORDER BY ID", database)


def _titanic() -> pd.DataFrame:
    return _bokeh("titanic_all.csv")


def _cars() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(json.loads((files("vega_datasets") / "_data" / "cars.json").read_text(encoding="utf-8")))


def _bokeh(file: str) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(str(files("bokeh_sampledata") / "_data" / file), encoding="latin-1")


_LOADERS: dict[str, Callable[[], pd.DataFrame]] = {
    "superstore": _superstore,
    "routes": _routes,
    "films": _films,
    "titanic": _titanic,
    "cars": _cars,
}
