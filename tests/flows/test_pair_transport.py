from pathlib import Path

import pytest
import yaml

from interfaceflow.core.files import FileRef
from interfaceflow.flows.pair_transport import PairTransportMaker
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LevelOfTheory
from interfaceflow.schemas.recipes import LmsLssPairSettings

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "recipes" / "lms_lss_pair"


@pytest.fixture(params=["smoke.yaml", "smoke_mtp.yaml", "full.yaml"])
def flow(request):
    settings = LmsLssPairSettings.model_validate(yaml.safe_load((CONFIGS / request.param).read_text()))
    level = LevelOfTheory(name="chgnet", description="", physics=ChgnetSettings(engine="chgnet"))
    cif = FileRef(uri="LMS.cif", sha256="0" * 64, n_bytes=1)
    return PairTransportMaker(settings=settings, level=level).make({"cathode": cif, "electrolyte": cif})


def test_every_job_has_a_name_of_its_own_and_a_category(flow):
    jobs = [job for job, _ in flow.iterflow()]
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    assert {job.config.manager_config["_category"] for job in jobs} >= {"light", "cpu", "dft"}


def test_nothing_waits_for_a_melting_point(flow):
    by_name = {job.name: job for job, _ in flow.iterflow()}
    assert not any("melting" in name for name in by_name)
    uuid_of = {name: job.uuid for name, job in by_name.items()}
    runs = [job for name, job in by_name.items() if name.startswith("production at")]
    assert runs
    for run in runs:
        assert set(run.metadata["parent_uuids"]) == {uuid_of["production cell"], uuid_of["explore round 0"]}
