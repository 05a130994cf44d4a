"""The kinds of tables that are generated, after those on which LLM queries are studied.

Shapes (which columns, how long, how often repeated) follow the seven data sets of Liu et al. (MLSys 2025, section 6):
films and products with their reviews, forum posts with comments, sheet music metadata, beers, questions with retrieved
passages; and sales, flights and operations tables of the kind that analysts keep.
"""

from __future__ import annotations

from evaluators.llm_sql.generated import Category, Code, Day, Entity, Link, Number, Optional, Text

_COMPANY = Entity({"production company": Category(40, 2, 0.5)})
_FILM = Entity(
    {
        "movie title": Category(400, 3, 0.0),
        "movie info": Text(70),
        "genre": Category(12),
        "runtime": Number(80, 180),
        "content rating": Category(5),
        "movie id": Code("m"),
    },
    (Link(_COMPANY, 0.4),),
)
_CRITIC = Entity({"critic": Category(300, 2, 0.0), "publisher": Category(25, 2)})
MOVIES = Entity(
    {"review": Text(40), "review type": Category(2), "top critic": Category(2, 1, 2.0), "review date": Day(900)},
    (Link(_FILM, 0.1), Link(_CRITIC, 0.15)),
)

_BRAND = Entity({"brand": Category(60, 1, 0.0), "brand country": Category(8)})
_PRODUCT = Entity(
    {
        "asin": Code("B0"),
        "product title": Text(9),
        "description": Text(60, openings=6),
        "category": Category(10, 2),
        "price": Number(4, 90, 0.5),
    },
    (Link(_BRAND, 0.3),),
)
PRODUCTS = Entity(
    {
        "rating": Number(1, 5),
        "review title": Text(4),
        "review text": Text(35),
        "verified purchase": Category(2, 1, 2.0),
        "review id": Code("R"),
    },
    (Link(_PRODUCT, 0.12),),
)

_OWNER = Entity({"owner": Code("user"), "reputation": Number(1, 3000), "location": Optional(Category(30), 0.4)})
_POST = Entity(
    {"post id": Code(""), "body": Text(90), "post score": Number(-3, 40), "tag": Category(20)}, (Link(_OWNER, 0.7),)
)
POSTS = Entity({"comment": Text(22), "comment score": Number(0, 6), "created": Day(400)}, (Link(_POST, 0.2, 0.9),))

_BREWERY = Entity({"brewery": Category(90, 2, 0.0), "city": Category(30), "state": Category(12, 2)})
_BEER = Entity(
    {"beer": Category(500, 3, 0.0), "beer id": Code(""), "abv": Number(3, 11, 0.1), "style": Category(25, 2, 0.7)},
    (Link(_BREWERY, 0.25),),
)
BEERS = Entity(
    {
        "overall": Number(1, 5, 0.5),
        "aroma": Number(1, 5, 0.5),
        "appearance": Number(1, 5, 0.5),
        "palate": Number(1, 5, 0.5),
        "taste": Number(1, 5, 0.5),
        "reviewer": Category(120, 1, 0.6),
    },
    (Link(_BEER, 0.15),),
)

_PLACE = Entity({"postal code": Code("0"), "city": Category(60), "region": Category(4, 1, 0.5), "country": Category(2)})
_CUSTOMER = Entity({"customer": Category(200, 2, 0.0), "customer id": Code("C-"), "segment": Category(3, 2, 0.6)})
_ARTICLE = Entity(
    {"product": Text(7), "product id": Code("P-"), "sub-category": Category(17), "department": Category(3)}
)
_ORDER = Entity(
    {"order id": Code("US-"), "order date": Day(1400), "ship mode": Category(4, 2)},
    (Link(_CUSTOMER, 0.4, 0.5), Link(_PLACE, 0.3)),
)
ORDERS = Entity(
    {"quantity": Number(1, 9), "discount": Number(0, 0.5, 0.1), "sales": Number(3, 600, 0.25)},
    (Link(_ORDER, 0.5, 0.3), Link(_ARTICLE, 0.3, 0.6)),
)

_COMPOSER = Entity({"composer": Category(80, 2, 0.0), "era": Category(6), "language": Category(9, 1, 1.5)})
SONGS = Entity(
    {
        "song": Text(4),
        "key": Category(14, 2),
        "time signature": Category(6),
        "tempo": Category(9),
        "license": Category(5, 4, 1.5),
        "subtitle": Optional(Text(5), 0.7),
        "artist": Optional(Category(60, 2), 0.5),
        "genres": Optional(Category(15, 2), 0.3),
        "tags": Optional(Category(30, 3), 0.5),
        "complexity": Number(0, 3),
        "has lyrics": Category(2),
        "is original": Category(2, 1, 2.0),
        "is draft": Category(2, 1, 3.0),
        "has annotations": Category(2),
        "tracks": Number(1, 5),
    },
    (Link(_COMPOSER, 0.2),),
)

_HOST = Entity({"host": Code("node-"), "rack": Category(12), "service": Category(20, 2), "owner team": Category(8, 2)})
TICKETS = Entity(
    {"message": Text(30, openings=15), "severity": Category(4), "component": Category(18), "opened": Day(60)},
    (Link(_HOST, 0.15),),
)

_PASSAGE_1 = Entity({"context 1": Text(55), "source 1": Category(40, 2)})
_PASSAGE_2 = Entity({"context 2": Text(55), "source 2": Category(40, 2)})
_PASSAGE_3 = Entity({"context 3": Text(55), "source 3": Category(40, 2)})
PASSAGES = Entity(
    {"question": Text(12), "question type": Category(6)},
    (Link(_PASSAGE_1, 0.15, 0.9), Link(_PASSAGE_2, 0.2, 0.9), Link(_PASSAGE_3, 0.3, 0.9)),
)

_ORIGIN = Entity(
    {
        "origin": Category(80, 2, 0.0),
        "origin code": Code("O"),
        "origin country": Category(20),
        "origin runways": Number(1, 5),
    }
)
_DESTINATION = Entity(
    {
        "destination": Category(80, 2, 0.0),
        "destination code": Code("D"),
        "destination country": Category(20),
        "destination advice": Text(25),
    }
)
FLIGHTS = Entity(
    {
        "flight": Code("XY"),
        "airline": Category(14, 2),
        "aircraft": Category(9, 2),
        "departure": Day(30),
        "delay": Optional(Number(5, 120, 5), 0.6),
        "remark": Optional(Text(8), 0.8),
    },
    (Link(_ORIGIN, 0.06), Link(_DESTINATION, 0.08)),
)

SCHEMAS = {
    "movies": MOVIES,
    "products": PRODUCTS,
    "posts": POSTS,
    "beers": BEERS,
    "orders": ORDERS,
    "songs": SONGS,
    "tickets": TICKETS,
    "passages": PASSAGES,
    "flights": FLIGHTS,
}
