"""Writes docs/reference/vasp-settings.md from papers.yaml: ``python tests/reference/vasp/settings_table.py``."""

from pathlib import Path

import yaml

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "reference" / "vasp-settings.md"
HEAD = """# VASP settings of the five papers

What each paper states of its VASP calculations, and what interfaceflow generates for them. "Not stated" marks our own
choice. The table is written from `tests/reference/vasp/papers.yaml` and compared tag by tag with the generated files
by a test, so it lists every tag of every INCAR. Cells are small stand-ins with the papers' elements; divisions of
k-points and lists of moments are for these.

No potential is in this project. A level of theory names them by symbol and release, and by title and hash where a user
adds these (`physics.potcars`); another one is refused.
"""


def read_papers():
    return yaml.safe_load((HERE / "papers.yaml").read_text())


def write_table(papers):
    lines = [HEAD]
    for paper in papers:
        lines += [f"## {paper['paper']}\n", f"Recipe `{paper['recipe']}`.\n"]
        for entry in paper["calculations"]:
            lines += [f"### {entry['name']}\n", f"Level of theory `{entry['level']}`, {_in_words(entry)}.\n"]
            lines += ["| setting | the paper states | what is generated |", "|-|-|-|"]
            lines += [f"| {row['setting']} | {row['states']} | {_generated(row)} |" for row in entry["rows"]] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _in_words(entry):
    calculation = dict(entry["calculation"])
    kind = calculation.pop("kind")
    details = ", ".join(f"{key} {value}" for key, value in calculation.items())
    return f"{kind} calculation" + (f" ({details})" if details else "") + f" of {entry['cell']}"


def _generated(row):
    if "kpoints" in row:
        divisions = "x".join(str(n) for n in row["kpoints"]["divisions"])
        return f"{row['kpoints']['style']} {divisions}"
    if "potcars" in row:
        return "POTCAR " + ", ".join(row["potcars"])
    return ", ".join(_tag(name, value) for name, value in row["tags"].items())


def _tag(name, value):
    if value is None:
        return f"no `{name}`"
    if isinstance(value, bool):
        return f"`{name} = {'.TRUE.' if value else '.FALSE.'}`"
    if isinstance(value, list):
        return f"`{name} = {' '.join(str(v) for v in value)}`"
    return f"`{name} = {value}`"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(write_table(read_papers()))
