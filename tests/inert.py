"""What tests need to tell whether a page runs or fetches anything."""

from html.parser import HTMLParser


class Tags(HTMLParser):
    """The tags of a page with their attributes, as a browser would read them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))


def assert_inert(page: str) -> None:
    """Nothing in the page runs, and nothing in it is fetched."""
    for tag, attributes in Tags(page).seen:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form", "link")
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, attributes)
            if name in ("src", "href", "action", "data"):
                assert value.startswith(("data:image/", "#", "https://", "http://")), (tag, attributes)
                assert tag == "a" or value.startswith("data:image/"), (tag, attributes)
