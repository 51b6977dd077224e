"""``interfaceflow doctor``."""

from __future__ import annotations

import typer

_MARKS = {"works": "✓", "broken": "✗", "absent": "-"}


def doctor() -> None:
    """Tell what works, what is missing and how to get it."""
    from interfaceflow.launch.doctor import examine

    findings = examine()
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        remedy = f"\n  {'':{width}}  → {finding.remedy}" if finding.remedy else ""
        typer.echo(f"{_MARKS[finding.state]} {finding.name:{width}}  {finding.found}{remedy}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)
