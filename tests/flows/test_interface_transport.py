from pathlib import Path

import pytest
import yaml

from interfaceflow.core.files import FileRef
from interfaceflow.flows.interface_transport import InterfaceTransportMaker
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LevelOfTheory
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "recipes" / "decomposition_interfaces"


@pytest.fixture(params=["smoke.yaml", "full.yaml"])
def flow(request):
    settings = DecompositionInterfacesSettings.model_validate(yaml.safe_load((CONFIGS / request.param).read_text()))
    level = LevelOfTheory(name="chgnet", description="", physics=ChgnetSettings(engine="chgnet"))
    cif = FileRef(uri="Li.cif", sha256="0" * 64, n_bytes=1)
    return InterfaceTransportMaker(settings=settings, level=level).make({"metal": cif, "binary": cif})


def test_every_job_has_a_name_of_its_own_and_a_category(flow):
    jobs = [job for job, _ in flow.iterflow()]
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    assert {job.config.manager_config["_category"] for job in jobs} == {"light", "cpu", "dft"}


def test_jobs_remember_what_goes_into_them(flow):
    by_name = {job.name: job for job, _ in flow.iterflow()}
    uuid_of = {name: job.uuid for name, job in by_name.items()}
    assert by_name["read crystals"].metadata["parent_uuids"] == []
    assert by_name["relax bulk"].metadata["parent_uuids"] == [uuid_of["read crystals"]]
    assert set(by_name["explore round 0"].metadata["parent_uuids"]) == {
        uuid_of["sample training set"],
        uuid_of["train potential"],
        uuid_of["learning starts"],
    }
