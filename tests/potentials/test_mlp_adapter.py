"""The adapter with the built-in engine, and with executables that break the contract in every known way."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interfaceflow.core.errors import DataFileError, ExternalProgramError, UserInputError
from interfaceflow.core.formats.cfg import read_configurations, write_configurations
from interfaceflow.core.progress import SilentProgress
from interfaceflow.potentials.evaluation import compare_labels
from interfaceflow.potentials.mlp import Mlp, MlpTrainingSettings, write_untrained_potential
from interfaceflow.potentials.mlp_executable import MLP_VARIABLE, MlpExecutable
from interfaceflow.potentials.mtp._native import Potential
from interfaceflow.potentials.mtp._native import read_configurations as read_native
from interfaceflow.potentials.mtp.loss import Loss, LossWeights

LI2S = Path(__file__).parents[1] / "data" / "mtp" / "li2s"
LIST_OF_MLIP_3 = (
    "mlp serial version\\nList of available commands:\\n    train:\\n    select_add:\\n    calculate_grade:\\n"
)


@pytest.fixture(autouse=True)
def no_site_mlp(monkeypatch):
    monkeypatch.delenv(MLP_VARIABLE, raising=False)


def executable(tmp_path: Path, body: str, *, listing: str = LIST_OF_MLIP_3) -> Path:
    """Write an executable that answers 'list' and otherwise runs some lines of shell."""
    path = tmp_path / "mlp"
    path.write_text(
        "#!/bin/bash\n"
        f"if [ \"$1\" = list ]; then printf '{listing}'; exit 0; fi\n"
        'for word in "$@"; do case "$word" in --save_to=*) save="${word#*=}";; '
        '--output_filename=*) out="${word#*=}";; esac; done\n'
        f"{body}\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


class CountingProgress(SilentProgress):
    def __init__(self) -> None:
        self.total: int | None = None
        self.done = 0
        self.words = ""

    def start(self, total: int | None, unit: str, description: str) -> None:
        self.total = total

    def advance(self, n: int = 1) -> None:
        self.done += n

    def status(self, text: str) -> None:
        self.words = text


# --- the built-in engine ----------------------------------------------------------------------------------------


def test_a_round_with_the_built_in_engine(tmp_path):
    mlp = Mlp()
    assert mlp.is_built_in
    write_configurations(tmp_path / "train.cfg", read_configurations(LI2S / "train.cfg")[:5])
    write_untrained_potential(tmp_path / "new.almtp", 6, species_count=2)
    progress = CountingProgress()
    run = mlp.train(
        tmp_path / "new.almtp",
        tmp_path / "train.cfg",
        save_to=tmp_path / "fit.almtp",
        log=tmp_path / "logs" / "train.log",
        settings=MlpTrainingSettings(iteration_limit=4, seed=2),
        progress=progress,
    )
    assert progress.total == 79
    assert progress.done == run.iterations == 75 + 4
    assert progress.words == f"loss {run.loss:.4g}"
    assert run.validation_loss is None
    assert Potential.read(run.potential).selection is not None

    candidates = LI2S / "test.cfg"
    n_selected = mlp.select_add(
        run.potential, tmp_path / "train.cfg", candidates, selected=tmp_path / "more.cfg", log=tmp_path / "select.log"
    )
    assert len(read_configurations(tmp_path / "more.cfg")) == n_selected > 0
    mlp.calculate_grade(run.potential, candidates, output=tmp_path / "graded.cfg", log=tmp_path / "grade.log")
    assert max(one.grade for one in read_configurations(tmp_path / "graded.cfg")) > 1
    mlp.calculate_efs(run.potential, candidates, output=tmp_path / "efs.cfg", log=tmp_path / "efs.log")
    assert len(read_configurations(tmp_path / "efs.cfg")) == len(read_configurations(candidates))
    assert not [path.name for path in tmp_path.iterdir() if ".part" in path.name]


def test_a_validation_set_ends_a_fit_of_the_built_in_engine(tmp_path):
    write_configurations(tmp_path / "train.cfg", read_configurations(LI2S / "train.cfg")[:2])
    write_untrained_potential(tmp_path / "new.almtp", 6, species_count=2)
    progress = CountingProgress()
    run = Mlp().train(
        tmp_path / "new.almtp",
        tmp_path / "train.cfg",
        save_to=tmp_path / "fit.almtp",
        log=tmp_path / "train.log",
        settings=MlpTrainingSettings(iteration_limit=500, patience=10),
        validation_set=LI2S / "test.cfg",
        progress=progress,
    )
    assert 75 <= run.iterations < 575
    found = Loss(read_native(LI2S / "test.cfg"), 5.0, LossWeights()).data_term(Potential.read(run.potential))
    assert run.validation_loss == pytest.approx(found, rel=1e-6)
    assert re.fullmatch(r"loss \S+(, validation \S+)?", progress.words)


def test_mlip_3_cannot_watch_a_validation_set(tmp_path):
    mlp = Mlp(executable(tmp_path, "exit 0"))
    files = {"save_to": tmp_path / "x.almtp", "log": tmp_path / "log.txt", "validation_set": LI2S / "test.cfg"}
    with pytest.raises(UserInputError, match="cannot end a fit by a validation set, only the built-in engine can"):
        mlp.train(LI2S / "level08.almtp", LI2S / "train.cfg", **files)


def test_progress_is_read_from_the_log_of_mlip_3(tmp_path):
    progress = CountingProgress()
    mlp = Mlp(
        executable(tmp_path, f"cp {LI2S}/level08.almtp $save; cat {LI2S}/level08.train.log; echo training complete")
    )
    run = mlp.train(
        LI2S.parent / "templates" / "08.almtp",
        LI2S / "train.cfg",
        save_to=tmp_path / "x.almtp",
        log=tmp_path / "log.txt",
        settings=MlpTrainingSettings(iteration_limit=100),
        progress=progress,
    )
    # It counts from 0, so that the last of 100 iterations is number 99.
    assert (progress.total, progress.done, run.iterations) == (175, 174, 174)
    assert progress.words == "loss 0.01464"


def test_errors_of_predictions_are_those_of_the_report(tmp_path):
    efs = tmp_path / "efs.cfg"
    Mlp().calculate_efs(LI2S / "level08.almtp", LI2S / "test.cfg", output=efs, log=tmp_path / "log.txt")
    errors = compare_labels(read_configurations(LI2S / "test.cfg"), read_configurations(efs), ["Li", "S"]).errors
    # level08.errors.txt: 0.00152422 eV/atom, and 0.128455 eV/Å for vectors.
    assert errors.energy_rmse_meV_atom == pytest.approx(1.52422, abs=1e-5)
    assert errors.force_rmse_eV_A * 3**0.5 == pytest.approx(0.128455, abs=1e-6)


@pytest.mark.parametrize("damaged", ["potential", "set"])
def test_what_the_engine_refuses_is_the_users_to_mend(tmp_path, damaged):
    potential, training_set = tmp_path / "p.almtp", tmp_path / "t.cfg"
    potential.write_bytes((LI2S / "level08.almtp").read_bytes()[: 40_000 if damaged == "potential" else None])
    training_set.write_bytes((LI2S / "train.cfg").read_bytes()[: 40_000 if damaged == "set" else None])
    with pytest.raises(UserInputError, match=r"p\.almtp" if damaged == "potential" else r"t\.cfg"):
        Mlp().train(potential, training_set, save_to=tmp_path / "x.almtp", log=tmp_path / "log.txt")
    assert not (tmp_path / "x.almtp").exists()


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(DataFileError, match=r"none\.cfg: no such file"):
        Mlp().train(LI2S / "level08.almtp", tmp_path / "none.cfg", save_to=tmp_path / "x", log=tmp_path / "log.txt")


def test_a_place_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserInputError, match="file/folder: cannot be made"):
        Mlp().calculate_efs(
            LI2S / "level08.almtp", LI2S / "test.cfg", output=tmp_path / "file" / "folder" / "x", log=tmp_path / "log"
        )


# --- which executable -------------------------------------------------------------------------------------------


def test_the_environment_names_a_site_mlp(tmp_path, monkeypatch):
    monkeypatch.setenv(MLP_VARIABLE, str(executable(tmp_path, "exit 0")))
    found = MlpExecutable.find()
    assert not found.is_built_in
    assert found.version == "mlp serial version"


def test_an_executable_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv(MLP_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(UserInputError, match=rf"{MLP_VARIABLE}\) does not exist; give the path"):
        Mlp()


def test_an_executable_without_permission(tmp_path):
    path = executable(tmp_path, "exit 0")
    path.chmod(0o644)
    with pytest.raises(UserInputError, match="not executable; 'chmod"):
        Mlp(path)


def test_an_executable_of_another_machine(tmp_path):
    path = tmp_path / "mlp"
    path.write_bytes(b"\x7fELF garbage")
    path.chmod(0o755)
    with pytest.raises(UserInputError, match="cannot be run"):
        Mlp(path)


def test_mlip_2_is_recognised(tmp_path):
    listing = "mlp serial version\\nList of available commands:\\n    train:\\n    calc-grade:\\n    select-add:\\n"
    with pytest.raises(UserInputError, match=r"is MLIP-2 .* needed is MLIP-3"):
        Mlp(executable(tmp_path, "exit 0", listing=listing))


def test_another_program_is_recognised(tmp_path):
    with pytest.raises(UserInputError, match=r"is no 'mlp' of MLIP-3: .* it printed 'usage: multilayer perceptron'"):
        Mlp(executable(tmp_path, "exit 0", listing="usage: multilayer perceptron"))


# --- runs that did not do what they were asked ------------------------------------------------------------------


def train_with(tmp_path: Path, body: str) -> None:
    target = tmp_path / "fit.almtp"
    target.write_text("old")
    try:
        mlp = Mlp(executable(tmp_path, body))
        mlp.train(LI2S / "level08.almtp", LI2S / "train.cfg", save_to=target, log=tmp_path / "log.txt")
    finally:
        if target.stat().st_size < 10:
            assert target.read_text() == "old"


def test_a_good_run_is_accepted(tmp_path):
    train_with(tmp_path, f"cp {LI2S}/level08.almtp $save; echo 'BFGS iter 0: f=0.5'; echo 'training complete'")
    assert Potential.read(tmp_path / "fit.almtp").initialised


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'mlp train: 2 arguments are required'", "did not end with 'training complete'"),
        ("echo 'Error: command train does not exist.'", "did not end with 'training complete'"),
        ("echo 'training complete'", "did not write the potential"),
        ("echo 'ERROR: Cannot open' >&2; exit 9", "ended with status 9"),
        (f"cp {LI2S}/level08.almtp $save; kill -9 $$", "ended with status"),
        (f"cp {LI2S}/level08.almtp $save; echo almost", "did not end with"),
        (f"head -c 5000 {LI2S}/level08.almtp > $save; echo 'training complete'", "potential that cannot be used"),
        (
            f"sed 's/^species_coeffs = .*/species_coeffs = {{nan, nan}}/' {LI2S}/level08.almtp > $save; "
            "echo 'training complete'",
            "potential that cannot be used",
        ),
        (
            f"cp {LI2S.parent}/templates/08.almtp $save; echo 'training complete'",
            "without coefficients or active set",
        ),
    ],
)
def test_a_training_that_cannot_be_trusted(tmp_path, body, said):
    with pytest.raises(ExternalProgramError, match=said) as caught:
        train_with(tmp_path, body)
    assert "mlp train'" in str(caught.value)
    assert "log.txt" in str(caught.value)
    assert not [path.name for path in tmp_path.iterdir() if ".part" in path.name]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo nothing", "did not print how many"),
        ("echo 'Training set was increased by 3 configurations'", "did not write its output"),
        (f"cp {LI2S}/level08.efs.cfg $5; echo 'Training set was increased by 3 configurations'", "announced 3"),
        (f"head -c 9000 {LI2S}/train.cfg > $5; echo 'Training set was increased by 3 configurations'", "truncated"),
    ],
)
def test_a_selection_that_cannot_be_trusted(tmp_path, body, said):
    mlp = Mlp(executable(tmp_path, body))
    with pytest.raises(ExternalProgramError, match=said):
        mlp.select_add(
            LI2S / "level08.almtp",
            LI2S / "train.cfg",
            LI2S / "test.cfg",
            selected=tmp_path / "new.cfg",
            log=tmp_path / "log.txt",
        )
    assert not (tmp_path / "new.cfg").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"cp {LI2S}/level08.efs.cfg $4; echo 'Grade evaluation complete'", "no grade for configuration 0"),
        ("touch $4; echo 'Grade evaluation complete'", "wrote no configuration"),
        ("sed s/1.2/nan/ " + f"{LI2S}/level08.grade.cfg > $4; echo 'Grade evaluation complete'", "cannot be used"),
    ],
)
def test_grades_that_cannot_be_trusted(tmp_path, body, said):
    mlp = Mlp(executable(tmp_path, body))
    with pytest.raises(ExternalProgramError, match=said):
        mlp.calculate_grade(
            LI2S / "level08.almtp", LI2S / "test.cfg", output=tmp_path / "out.cfg", log=tmp_path / "log.txt"
        )


def test_energies_that_cannot_be_trusted(tmp_path):
    mlp = Mlp(executable(tmp_path, "echo 'EFS calculation complete'"))
    potential, held_out, log = LI2S / "level08.almtp", LI2S / "test.cfg", tmp_path / "log.txt"
    with pytest.raises(ExternalProgramError, match="did not write its output"):
        mlp.calculate_efs(potential, held_out, output=tmp_path / "out.cfg", log=log)


# --- children do not outlive their owner ------------------------------------------------------------------------

OWNER = """
import sys
from pathlib import Path
from interfaceflow.potentials.mlp import Mlp
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
Mlp(folder / "mlp").train(data / "level08.almtp", data / "train.cfg", save_to=folder / "x", log=folder / "log.txt")
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_child_ends_with_its_owner(tmp_path, kind):
    executable(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 120")
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path), str(LI2S)], stderr=subprocess.DEVNULL)
    pid_file = tmp_path / "pid"
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    child = int(pid_file.read_text())
    owner.send_signal(kind)
    owner.wait(timeout=30)
    while is_running(child):
        assert time.monotonic() < deadline, "the child outlived its owner"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return "sleep" in Path(f"/proc/{pid}/comm").read_text() and os.kill(pid, 0) is None
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_console_script_is_installed():
    assert shutil.which("interfaceflow-mlp", path=str(Path(sys.executable).parent))
