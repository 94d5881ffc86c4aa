"""`python -m tests.pages.without_torch DATA RUN`: visits pages with a trained net, in a process of its own.

Prints as JSON what was read there, and whether this process, which is the web process, has loaded torch.
"""

import json
import sys
import time
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.pages.finished import APP, no_exception, words

PATIENCE_SECONDS = 180


def opened(name: str, **address: str) -> AppTest:
    """Open a page at an address, whole."""
    app = AppTest.from_file(APP, default_timeout=PATIENCE_SECONDS)
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    app.switch_page(f"pages/{name}.py")
    for key, value in address.items():
        app.query_params[key] = value
    return no_exception(app.run())


def once(app: AppTest, there: Callable[[AppTest], object]) -> AppTest:
    """Draw the page anew, as its bars do, until something is there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not there(app):
        assert time.monotonic() < deadline, words(app)
        time.sleep(0.3)
        app = no_exception(app.run())
    return app


def recommend(address: dict[str, str]) -> dict[str, object]:
    """Look at a list, at why an item is in it, and why another one is not."""
    app = once(opened("recommend", **address), buttons)
    first = buttons(app)[0]
    app = no_exception(app.button(key=first).click().run())
    app = once(app, lambda one: "Approximation." in words(one))
    why = words(app)
    offered = app.selectbox(key="why_not_item").options
    app = no_exception(app.selectbox(key="why_not_item").set_value(len(offered) - 1).run())
    app = once(app, lambda one: "is at rank" in words(one) or "is in the history" in words(one))
    return {"items": len(buttons(app)), "why": why, "why_not": words(app)}


def buttons(app: AppTest) -> list[str]:
    """Return the keys of the items of the net's list."""
    return [str(one.key) for one in app.button if str(one.key).startswith("item_sasrec")]


def inside(address: dict[str, str]) -> dict[str, object]:
    """Look into the net."""
    app = once(opened("inside", **address), lambda one: "The largest influence is that of" in words(one))
    return {"inside": words(app)}


if __name__ == "__main__":
    where = {"data": sys.argv[1], "run": sys.argv[2], "model": sys.argv[3], "user": "person-4", "view": "whole"}
    found = recommend(where) | inside(where)
    print(json.dumps(found | {"torch": "torch" in sys.modules}))  # noqa: T201
