import json
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from doc_jobs import labels, relaxations, transport
from jobflow import Flow
from sleepy_jobs import add, fail_until, interrupt_itself, nap, traces

from interfaceflow.launch.recipes import recipe_structures

pytestmark = pytest.mark.filterwarnings("ignore:Some jobs are not connected")


def small_flow() -> Flow:
    return Flow([transport(300.0), relaxations(2), add(nap(1).output, 1)][:2])


def failing_flow() -> Flow:
    failing = fail_until("flag")
    return Flow([failing, add(failing.output, 1)])


def test_run_ends_with_tables_and_a_report_and_computes_nothing_twice(root, command, config, recipe_of_test_jobs):
    recipe_of_test_jobs(small_flow)
    code, out, err = command("run", "smoke.yaml")
    assert code == 0, err
    assert "metal-Li" in out
    assert "report.html" in out
    assert "[1/2]" in err
    assert "\x1b" not in out + err
    report = (root / "report.html").read_text()
    assert report.lower().startswith("<!doctype html>")

    (root / "report.html").unlink()
    code, out, err = command("run", "smoke.yaml")
    assert code == 0
    assert "already finished" in out
    assert (root / "report.html").read_text()[:200] == report[:200]
    code, out, _ = command("status", "--json")
    jobs = json.loads(out)
    assert [set(job) for job in jobs] == [{"uuid", "name", "state", "launches"}] * 2
    assert {(job["state"], job["launches"]) for job in jobs} == {("COMPLETED", 1)}

    assert command("run", "smoke.yaml", "--new")[0] == 0
    code, out, _ = command("query", "transport", "--json", "--where", "label=metal-Li")
    assert [row["temperature_K"] for row in json.loads(out)] == [300.0]
    code, out, _ = command("query", "relaxations", "--csv")
    assert out.splitlines()[0].startswith("kind,name,n_layers")
    code, out, _ = command("query", "relaxations")
    assert "energy_eV" in out
    code, out, _ = command("report", "--output", "other.html")
    assert code == 0
    assert (root / "other.html").exists()


def test_a_failure_gives_the_reason_and_the_command_that_cures_it(root, command, config, recipe_of_test_jobs):
    recipe_of_test_jobs(failing_flow)
    code, _, err = command("run", "smoke.yaml")
    assert code == 1
    assert "RuntimeError: no file flag" in err
    cure = next(line.strip() for line in err.splitlines() if "interfaceflow rerun" in line)
    assert "interfaceflow run smoke.yaml --new" in err
    code, out, _ = command("status")
    assert "FIZZLED" in out
    assert "no file flag" in out

    rerun, again = (part.split()[1:] for part in cure.split("&&"))
    assert command(*rerun, "--dry-run")[0] == 0
    (root / "flag").touch()
    code, out, err = command(*rerun)
    assert code == 0, err
    assert "fail_until" in out
    assert command(*again)[0] == 0
    assert len(traces(root)) == 3


def test_refused_labels_are_shown_with_their_reasons(root, command, config, recipe_of_test_jobs):
    recipe_of_test_jobs(lambda: Flow([labels()]))
    assert command("run", "smoke.yaml")[0] == 0
    code, out, _ = command("status")
    assert code == 0
    assert "4 labels were refused: learning round 0, frame 0 and 1 more: the calculation did not converge; " in out
    assert "atom 3 (Li) is too close to a neighbour" in (root / "report.html").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(root, command, config, recipe_of_test_jobs, number):
    recipe_of_test_jobs(lambda: interrupt_itself(int(number), "flag"))
    code, _, err = command("run", "smoke.yaml")
    assert code == 130
    assert "to go on: interfaceflow run smoke.yaml" in err
    assert [(job["state"], job["launches"]) for job in json.loads(command("status", "--json")[1])] == [("READY", 1)]
    assert "the run was stopped, go on with: interfaceflow run smoke.yaml" in command("status")[1]
    code, _, err = command("run", "smoke.yaml")
    assert code == 0
    assert "going on with flow" in err


def test_a_changed_config_stops_with_the_difference(root, command, config, recipe_of_test_jobs):
    recipe_of_test_jobs(failing_flow)
    command("run", "smoke.yaml")
    config.write_text(config.read_text().replace("level: 8", "level: 10"))
    code, _, err = command("run", "smoke.yaml")
    assert code == 2
    assert "potential.level: 8 -> 10" in err
    assert "--new" in err


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (("level: 8", "levl: 8"), ["potential.levl", "Did you mean 'level'?"]),
        (("cif: Li.cif", "cif: Lii.cif"), ["structures.metal.cif: 'Lii.cif'", "Did you mean 'Li.cif'?"]),
        (("cif: Li.cif", "cif: broken.cif"), ["structures.metal.cif", "broken.cif: not a readable CIF file"]),
        (("title:", "reference: {level_of_theory: chgnett}\ntitle:"), ["Did you mean 'chgnet'?"]),
        (("max_area_A2: 90", "max_area_A2: 5"), ["structures.interface", "nearest miss", "max_area_A2"]),
        (("mobile_species: Li", "mobile_species: Na"), ["analysis.mobile_species: 'Na'", "they hold Cl, Li"]),
        (("vacancy_species: Li", "vacancy_species: li"), ["vacancy_species: 'li'", "Did you mean 'Li'?"]),
        (
            ("{cell: interface, ", "{cell: interface, vacancies: {species: Cla, fraction: 0.1}, "),
            ["training_set.trajectories.0.vacancies.species: 'Cla' is in neither crystal", "Did you mean 'Cl'?"],
        ),
        (
            (
                "timestep_fs: 2\n  trajectories:\n    - {cell: interface, ",
                "timestep_fs: 2\n  electron_energy_eV: 2\n  trajectories:\n    "
                "- {cell: interface, vacancies: {species: Li, fraction: 0.1, charge_e: -1}, ",
            ),
            ["vacancies.charge_e makes charged cells, and the level of theory chgnet knows only neutral ones"],
        ),
        (("cif: LiCl.cif", "cif: LiOg.cif"), ["reference.level_of_theory: chgnet", "does not know Og"]),
        (("level: 8", "level: 8\n  mlp: nowhere/mlp"), ["potential.mlp", "nowhere/mlp"]),
        (("level: 8", "level: 8\n  mlp: true.sh"), ["potential.mlp", "is no 'mlp' of MLIP-3"]),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(root, command, config, edit, expected):
    (root / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    (root / "true.sh").write_text("#!/bin/sh\necho usage\n")
    (root / "true.sh").chmod(0o755)
    (root / "LiOg.cif").write_text(
        (recipe_structures("decomposition_interfaces") / "LiCl.cif").read_text().replace("Cl", "Og")
    )
    text = config.read_text()
    if edit[0] == "title:" and "level_of_theory" in text:
        edit = ("level_of_theory: chgnet", "level_of_theory: chgnett")
    assert edit[0] in text
    config.write_text(text.replace(*edit, 1))
    code, out, err = command("run", "smoke.yaml")
    assert code == 2
    assert [words for words in expected if words not in err] == []
    assert sorted(path.name for path in root.iterdir()) == ["LiOg.cif", "broken.cif", "smoke.yaml", "true.sh"]
    assert out == ""


@pytest.mark.parametrize(
    ("potential", "expected"),
    [
        ({"calculator": "nowhere:Calculator"}, ["potential.calculator: nowhere:Calculator", "cannot be imported"]),
        ({"calculator": "ase.calculators.lj:LennardJone"}, ["has no 'LennardJone'", "Did you mean 'LennardJones'?"]),
        ({"calculator": "ase.build:bulk", "arguments": {"name": "Li"}}, ["gives a Atoms, not an ASE calculator"]),
        ({"calculator": "ase.calculators.emt:EMT"}, ["it cannot compute", "it has to know Li"]),
        (
            {"calculator": "interfaceflow.potentials.mtp.calculator:MTPCalculator", "arguments": {"path": "no.almtp"}},
            ["it cannot be made with", "no.almtp"],
        ),
    ],
)
def test_a_calculator_that_cannot_be_used_is_refused(root, command, config, potential, expected):
    recipe = yaml.safe_load(config.read_text())
    recipe["potential"] = {"kind": "ase", **potential}
    del recipe["production"]["n_ranks"]
    config.write_text(yaml.safe_dump(recipe))
    code, _, err = command("run", "smoke.yaml")
    assert code == 2
    assert [words for words in expected if words not in err] == []
    assert [path.name for path in root.iterdir()] == ["smoke.yaml"]


def test_a_full_disk_is_refused_before_anything_is_written(root, command, config, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 5_000_000, 5_000_000))
    code, _, err = command("run", "smoke.yaml")
    assert code == 2
    assert "5 MB are free" in err
    assert [path.name for path in root.iterdir()] == ["smoke.yaml"]


def test_commands_without_a_project(root, command):
    for words in (("status",), ("query", "transport"), ("report",), ("rerun", "--failed")):
        code, out, err = command(*words)
        assert code == 2
        assert "there is no interfaceflow project here" in err
        assert out == ""
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("runn", "x"), "No such command"),
        (("run",), "Missing argument"),
        (("run", "nothing.yaml"), "there is no such config file"),
        (("rerun",), "say what to run again"),
        (("rerun", "--failed", "--job", "x"), "exclude each other"),
        (("query", "transport", "--json", "--csv"), "exclude each other"),
        (("init", "decomposition"), "there is no recipe"),
    ],
)
def test_misuse_is_told(root, command, words, expected):
    code, _, err = command(*words)
    assert code == 2
    assert expected in err


def test_init_writes_what_run_accepts_and_overwrites_nothing(root, command, monkeypatch, recipe_of_test_jobs):
    code, _, err = command("init", "decomposition_interfaces", "mine")
    assert code == 0, err
    assert {"smoke.yaml", "full.yaml", "Li.cif", "LiCl.cif"} <= {path.name for path in (root / "mine").iterdir()}
    (root / "mine" / "Li.cif").write_text("mine")
    code, _, err = command("init", "decomposition_interfaces", "mine")
    assert code == 2
    assert "nothing was overwritten" in err
    assert (root / "mine" / "Li.cif").read_text() == "mine"

    (root / "mine" / "Li.cif").unlink()
    monkeypatch.chdir(root / "mine")
    recipe_of_test_jobs(small_flow)
    assert command("run", "smoke.yaml")[0] == 0


def test_init_says_which_crystals_are_stand_ins(root, command):
    code, out, err = command("init", "lms_lss_pair")
    assert code == 0, err
    assert {"smoke.yaml", "LMS-stand-in.cif", "LSS-stand-in.cif"} <= {p.name for p in (root / "lms_lss_pair").iterdir()}
    assert "put the CIF file of Li14Mn2S9 (mp-756198 of the Materials Project)" in out
    assert "stand_in_for" in out


def test_doctor_finds_everything_that_is_installed(root, command):
    code, out, _ = command("doctor")
    lines = out.splitlines()
    works = [line for line in lines if line.startswith("✓")]
    assert code == 0, out
    assert {"torch", "LAMMPS", "mpiexec", "chgnet", "GPAW", "tblite"} <= {line.split()[1] for line in works}
    assert any("export INTERFACEFLOW_MLP" in line for line in lines)


def test_an_unexpected_error_is_short_and_its_traceback_is_kept(root, command, monkeypatch):
    from interfaceflow.launch import status

    monkeypatch.setattr(status, "flow_status", lambda *_: 1 / 0)
    code, _, err = command("status")
    assert code == 1
    assert "ZeroDivisionError" in err
    log = Path(err.split("The details are in ")[1].strip())
    assert "Traceback" in log.read_text()
    log.unlink()


def test_help_imports_nothing_heavy():
    script = "import sys; from interfaceflow.cli.main import run_command; run_command(['--help']); " + (
        "sys.exit(','.join(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'pandas', 'numpy', 'jobflow', "
        "'fireworks', 'maggma', 'ase', 'pymatgen', 'plotly'})))"
    )
    started = time.perf_counter()
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert said.stderr.strip() == ""
    assert "rerun" in said.stdout
    assert time.perf_counter() - started < 5  # well under a second on an idle machine


def test_every_command_explains_itself(command):
    for name in ("run", "status", "rerun", "query", "report", "doctor", "init"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert f"interfaceflow {name}" in out
    code, out, _ = command("--version")
    assert (code, out) == (0, f"interfaceflow {version('interfaceflow')}\n")
