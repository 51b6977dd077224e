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


def test_slabs_go_into_the_training_set_only_where_it_has_any():
    def parents(settings):
        level = LevelOfTheory(name="chgnet", description="", physics=ChgnetSettings(engine="chgnet"))
        cif = FileRef(uri="Li.cif", sha256="0" * 64, n_bytes=1)
        made = InterfaceTransportMaker(settings=settings, level=level).make({"metal": cif, "binary": cif})
        by_name = {job.name: job for job, _ in made.iterflow()}
        names = {job.uuid: name for name, job in by_name.items()}
        return {names[uuid] for uuid in by_name["sample training set"].metadata["parent_uuids"]}

    content = yaml.safe_load((CONFIGS / "smoke.yaml").read_text())
    assert parents(DecompositionInterfacesSettings.model_validate(content)) == {"relax bulk", "relax interface"}
    slab = {"cell": "metal_slab", "temperatures_K": [300]}
    content["training_set"]["trajectories"].append(slab)
    assert parents(DecompositionInterfacesSettings.model_validate(content)) == {
        "relax bulk",
        "relax interface",
        "relax metal slabs",
        "relax binary slabs",
    }
