"""Templates to files: everything a card says is escaped, links lead to http(s) only, nothing is run inline."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from leaderboard.board import interval
from leaderboard.rows import number

POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: data:; "
    "media-src 'self' file: data: blob:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
"""Content security policy of every page. ``file:`` counts only where pages are opened from disk."""
POLICY_PLOTS = POLICY.replace("style-src 'self' file:", "style-src 'self' file: 'unsafe-inline'")
"""The plotting library writes style rules of its own."""

TASKS = {"talking": "talking heads from speech and text", "text2motion": "facial motion from text"}
"""What tasks are called; another is shown by its own name."""


def environment() -> Environment:
    """The templates with their filters; autoescape is always on and an undefined name is an error."""
    env = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(number=number, interval=interval, web=web, path=path, plain=plain, short=short_hash, rate=rate)
    env.globals.update(policy=POLICY, tasks=TASKS)
    return env


def write_page(env: Environment, template: str, out: Path, page: str, context: Mapping[str, Any]) -> None:
    """Writes one page.

    Args:
        env: From ``environment``.
        template: Name of the template.
        out: The site's folder.
        page: Path of the page in it, with ``/``.
        context: What the template names; ``root``, the way back to the site's folder, is added.
    """
    text = env.get_template(template).render({**context, "page": page, "root": "../" * page.count("/")})
    write_text(out / page, text)


def write_text(target: Path, text: str) -> None:
    """Writes a file with the same bytes on every system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode("utf-8", errors="replace"))


def write_data(target: Path, name: str, data: Any) -> None:
    """Data as a script that fills ``window.mmbench[name]``, so that it also loads from file://."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    write_text(target, f"(window.mmbench = window.mmbench || {{}})[{json.dumps(name)}] = {text};\n")


def web(address: Any) -> str:
    """An http(s) address with a host, or an empty text for everything else.

    >>> web("https://example.org/a"), web("javascript:alert(1)")
    ('https://example.org/a', '')
    """
    try:
        parts = urlsplit(str(address).strip())
    except ValueError:
        return ""
    return parts.geturl() if parts.scheme in ("http", "https") and parts.hostname else ""


def path(name: str) -> str:
    """A path as a relative link."""
    return quote(name, safe="/._-@#=&")


def plain(value: Any) -> str:
    """Any value of a record as text a person reads."""
    if value is None or value == "":
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(plain, value)) or "none"
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)


def short_hash(digest: str) -> str:
    """The first twelve digits of a hash."""
    return digest[:12]


def rate(value: float | None) -> str:
    """A real-time factor to three digits, with thousands apart."""
    if value is None:
        return "\u2013"
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{digits}f}".replace(",", "\u2009")
