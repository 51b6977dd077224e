"""What a result has to remember about where it came from."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version


def package_versions(*names: str) -> dict[str, str]:
    """Return the installed versions of ``interfaceflow`` and the named distributions; absent ones are left out."""
    versions: dict[str, str] = {"python": platform.python_version()}
    for name in ("interfaceflow", *names):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def host_name() -> str:
    """Return this machine's network name."""
    return platform.node() or "unknown"
