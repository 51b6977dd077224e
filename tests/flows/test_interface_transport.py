from pathlib import Path

import pytest
import yaml

from interfaceflow.core.files import FileRef
from interfaceflow.flows.interface_transport import InterfaceTransportMaker
from interfaceflow.schemas.level_of_theory import ChgnetSettings, LevelOfTheory
from interfaceflow.schemas.recipes import DecompositionInterfacesSettings

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "recipes" / "decomposition_interfaces"


def flow_of(config):
    settings = DecompositionInterfacesSettings.model_validate(config)
    level = LevelOfTheory(name="chgnet", description="", physics=ChgnetSettings(engine="chgnet"))
    cif = FileRef(uri="Li.cif", sha256="0" * 64, n_bytes=1)
    return InterfaceTransportMaker(settings=settings, level=level).make({"metal": cif, "binary": cif})


@pytest.fixture(params=["smoke.yaml", "full.yaml"])
def flow(request):
    return flow_of(yaml.safe_load((CONFIGS / request.param).read_text()))


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
    def parents(config):
        by_name = {job.name: job for job, _ in flow_of(config).iterflow()}
        names = {job.uuid: name for name, job in by_name.items()}
        return {names[uuid] for uuid in by_name["sample training set"].metadata["parent_uuids"]}

    content = yaml.safe_load((CONFIGS / "smoke.yaml").read_text())
    assert parents(content) == {"relax bulk", "relax interface"}
    content["training_set"]["trajectories"].append({"cell": "metal_slab", "temperatures_K": [300]})
    assert parents(content) == {"relax bulk", "relax interface", "relax metal slabs", "relax binary slabs"}


@pytest.mark.parametrize(
    ("potential", "category"),
    [
        ({"level": 8}, "cpu"),
        ({"kind": "nequip", "device": "cpu"}, "cpu"),
        ({"kind": "nequip", "device": "cuda"}, "gpu"),
        ({"kind": "ase", "calculator": "a.b:C"}, "cpu"),
        ({"kind": "ase", "calculator": "a.b:C", "needs_gpu": True}, "gpu"),
    ],
)
def test_jobs_that_run_the_potential_go_where_it_runs(potential, category):
    config = yaml.safe_load((CONFIGS / "smoke.yaml").read_text())
    config["potential"] = potential
    config["production"].pop("n_ranks")
    by_name = {job.name: job.config.manager_config["_category"] for job, _ in flow_of(config).iterflow()}
    run_it = [
        name for name in by_name if name.startswith(("train", "explore", "evaluate pot", "melting", "production at"))
    ]
    assert len(run_it) == 7
    assert {by_name[name] for name in run_it} == {category}
    assert {by_name[name] for name in ("sample training set", "relax bulk")} == {"dft"}
    assert by_name["arrhenius"] == "light"
