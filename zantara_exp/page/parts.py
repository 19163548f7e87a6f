"""A page of one file, put together: its own part, and the style and script that all pages have in common."""

from __future__ import annotations

from importlib.resources import files


def built(package: str, **holes: str) -> str:
    """`page.html` of a package with the common style and script, and with markup in the place of `<!--NAME-->`.

    Nothing is loaded from outside, so that a policy can name what may run by its hash.
    """
    common = files("zantara_exp.page")
    page = files(package).joinpath("page.html").read_text(encoding="utf-8")
    for tag, name in (("style", "common.css"), ("script", "common.js")):
        text = common.joinpath(name).read_text(encoding="utf-8")
        page = page.replace(f"<!--common {tag}-->", f"<{tag}>\n{text}</{tag}>")
    for name, markup in holes.items():
        page = page.replace(f"<!--{name}-->", markup)
    return page
