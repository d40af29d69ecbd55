"""The output of `mandeldask serve` after its start."""

import webbrowser

from mandeldask.cli.announcing import opened_in_browser


def test_the_page_opens_with_the_first_key(monkeypatch):
    opened, printed = [], []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    opened_in_browser(printed.append, None)("http://127.0.0.1:8000")
    opened_in_browser(printed.append, ["a b", "c"])("http://127.0.0.1:8000")
    assert printed == ["http://127.0.0.1:8000"] * 2
    assert opened == ["http://127.0.0.1:8000/", "http://127.0.0.1:8000/key/a%20b/"]
