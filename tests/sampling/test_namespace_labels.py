"""The label of each namespace: by hand, by its pod or container, or its number."""

from __future__ import annotations

from typing import cast

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.config.model import NetnsName
from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.owners.workloads import Workloads
from exporter.sampling.namespace_labels import NamespaceLabels
from tests.sampling.fake_workloads import FakeWorkloads

CNI = "cni-2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c"
WAIT_SECONDS, WAIT_FOR_PROCESS_SECONDS = 0.5, 30.0


def ref(inode: int, name: str = "", pid: int | None = None) -> NamespaceRef:
    """Return a namespace; its process has the number of the inode unless told."""
    process = inode if pid is None else pid
    target = NamespaceTarget(name=name.encode()) if name else NamespaceTarget(pid=process)
    return NamespaceRef(inode, name.encode(), target, process)


class Setup:
    """Labels of namespaces that a test makes."""

    def __init__(self) -> None:
        self.workloads = FakeWorkloads()
        self.labels = NamespaceLabels(cast("Workloads", self.workloads))

    def at(self, now: float, *refs: NamespaceRef) -> dict[int, str]:
        """Look for names at a time, and return the label of each that has one."""
        self.labels.look_up(refs, now)
        return self.known(*refs)

    def known(self, *refs: NamespaceRef, kind: NetnsName = NetnsName.NAME) -> dict[int, str]:
        """Return the label of each namespace."""
        return {found.inode: label for label, found in self.labels.labelled(refs, kind)}


@pytest.fixture
def setup() -> Setup:
    """No namespace yet."""
    return Setup()


def test_name_of_the_pod_or_container(setup: Setup) -> None:
    setup.workloads.run(7, "web")
    assert setup.at(0.0, ref(7)) == {7: "web"}
    assert not setup.labels.soon


def test_without_a_name_it_is_the_number(setup: Setup) -> None:
    setup.workloads.run(7)
    assert setup.at(0.0, ref(7)) == {7: "7"}


@pytest.mark.parametrize("name", ["host", "123", "٣", "4026531840"])
def test_a_name_that_could_be_taken_for_another_is_not_used(setup: Setup, name: str) -> None:
    setup.workloads.run(7, name)
    assert setup.at(0.0, ref(7)) == {7: "7"}


def test_where_nothing_finds_containers_nobody_waits() -> None:
    labels = NamespaceLabels()
    refs = [ref(7), ref(8, "web"), ref(9, CNI)]
    labels.look_up(refs, 0.0)
    assert {each.inode: label for label, each in labels.labelled(refs, NetnsName.NAME)} == {
        7: "7",
        8: "web",
        9: CNI,
    }


def test_a_namespace_waits_for_its_name_and_not_for_long(setup: Setup) -> None:
    assert setup.at(0.0, ref(7), ref(8, "web")) == {8: "web"}
    assert setup.labels.soon
    assert setup.at(WAIT_SECONDS - 0.1, ref(7), ref(8, "web")) == {8: "web"}
    version = setup.labels.version
    assert setup.at(WAIT_SECONDS, ref(7), ref(8, "web")) == {7: "7", 8: "web"}
    assert setup.labels.version > version
    assert not setup.labels.soon


def test_a_label_stays_as_long_as_the_namespace_lives(setup: Setup) -> None:
    """Whatever its process is called later, and whoever has the same name."""
    setup.workloads.run(7, "web")
    setup.at(0.0, ref(7))
    setup.workloads.run(7, "other")
    setup.workloads.run(8, "web", started=-1)
    assert setup.at(1.0, ref(7), ref(8)) == {7: "web"}
    assert setup.at(100.0, ref(7), ref(8)) == {7: "web", 8: "8"}


def test_a_name_that_is_found_late_is_not_used(setup: Setup) -> None:
    setup.at(0.0, ref(7))
    setup.at(WAIT_SECONDS, ref(7))
    setup.workloads.run(7, "web")
    assert setup.at(2.0, ref(7)) == {7: "7"}
    assert setup.workloads.asked == [7, 7]


def test_a_namespace_whose_first_process_was_no_container_is_named_by_the_next(setup: Setup) -> None:
    """It has its number until then, and is not asked about again while the same process stands for it."""
    setup.workloads.run(7)
    assert setup.at(0.0, ref(7)) == {7: "7"}
    assert setup.at(1.0, ref(7, pid=8)) == {7: "7"}
    version = setup.labels.version
    setup.workloads.run(8, "web")
    assert setup.at(2.0, ref(7, pid=8)) == {7: "web"}
    assert setup.labels.version > version
    setup.workloads.run(9, "other")
    assert setup.at(3.0, ref(7, pid=9)) == {7: "web"}
    assert setup.workloads.asked == [7, 8, 8]


def test_a_process_that_belongs_to_nothing_is_asked_about_once(setup: Setup) -> None:
    setup.workloads.run(7)
    setup.workloads.run(8)
    for pid in (7, 8, 8, 8):
        assert setup.at(0.0, ref(7, pid=pid)) == {7: "7"}
    assert setup.workloads.asked == [7, 8]


def test_a_name_that_another_has_is_not_given_late_either(setup: Setup) -> None:
    setup.workloads.run(7)
    setup.workloads.run(8, "web")
    setup.workloads.run(9, "web")
    assert setup.at(0.0, ref(7), ref(8)) == {7: "7", 8: "web"}
    assert setup.at(1.0, ref(7, pid=9), ref(8)) == {7: "7", 8: "web"}


def test_what_restarts_under_the_same_name_has_the_same_label(setup: Setup) -> None:
    """Also where the one before is still there for a moment."""
    setup.workloads.run(7, "web")
    setup.workloads.run(8, "web", started=5)
    setup.at(0.0, ref(7))
    assert setup.at(1.0, ref(7), ref(8)) == {7: "web"}
    assert setup.labels.soon
    assert setup.at(1.1, ref(8)) == {8: "web"}


def test_of_two_with_one_name_the_older_has_it(setup: Setup) -> None:
    """So that it is the same one when the exporter is started again."""
    setup.workloads.run(7, "web", started=20)
    setup.workloads.run(8, "web", started=10)
    assert setup.at(0.0, ref(7), ref(8)) == {8: "web"}
    assert setup.at(WAIT_SECONDS, ref(7), ref(8)) == {7: "7", 8: "web"}


def test_a_name_by_hand_comes_first(setup: Setup) -> None:
    setup.workloads.run(7, "db")
    setup.workloads.run(8, "web")
    assert setup.at(0.0, ref(7, "web"), ref(8)) == {7: "web"}
    assert setup.at(WAIT_SECONDS, ref(7, "web"), ref(8)) == {7: "web", 8: "8"}
    assert 7 not in setup.workloads.asked


@pytest.mark.parametrize("name", [CNI, CNI.replace("cni-", "netns-"), CNI.removeprefix("cni-")])
def test_a_name_that_an_engine_made_comes_after_that_of_its_pod(setup: Setup, name: str) -> None:
    setup.workloads.run(7, "web-0")
    setup.workloads.run(8)
    assert setup.at(0.0, ref(7, name), ref(8)) == {7: "web-0", 8: "8"}
    setup.labels.forget(7)
    setup.workloads.run(7)
    assert setup.at(0.0, ref(7, name)) == {7: name}


@pytest.mark.parametrize("name", ["cni-web", "web-2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c", "2f6b1c9e"])
def test_other_names_are_by_hand(setup: Setup, name: str) -> None:
    setup.workloads.run(7, "web-0")
    assert setup.at(0.0, ref(7, name)) == {7: name}


def test_a_namespace_that_an_engine_sets_up_waits_for_its_first_process(setup: Setup) -> None:
    """Which takes longer than a second where the network is set up by several programs."""
    made = ref(7, CNI, pid=0)
    assert setup.at(0.0, made) == {}
    assert not setup.labels.soon
    assert setup.at(WAIT_FOR_PROCESS_SECONDS - 1, made) == {}
    # A program that sets it up is in no container, and soon gone.
    assert setup.at(WAIT_FOR_PROCESS_SECONDS - 0.9, ref(7, CNI, pid=100)) == {}
    setup.workloads.run(101, "web-0")
    assert setup.at(WAIT_FOR_PROCESS_SECONDS - 0.5, ref(7, CNI, pid=101)) == {7: "web-0"}


def test_a_namespace_whose_first_process_comes_late_is_named_then(setup: Setup) -> None:
    """Until then it has the name that its engine gave, and once it is named it keeps that."""
    made = ref(7, CNI, pid=0)
    setup.at(0.0, made)
    late = WAIT_FOR_PROCESS_SECONDS
    assert setup.at(late, made) == {7: CNI}
    before = setup.labels.version
    assert setup.at(late + 1, ref(7, CNI, pid=101)) == {}
    assert setup.labels.version > before
    setup.workloads.run(101, "web-0")
    assert setup.at(late + 2, ref(7, CNI, pid=101)) == {7: "web-0"}
    assert setup.at(late + 3, made) == {7: "web-0"}
    setup.workloads.run(102, "web-1")
    assert setup.at(late + 4, ref(7, CNI, pid=102)) == {7: "web-0"}


def test_a_process_that_belongs_to_nothing_leaves_the_name_of_the_engine(setup: Setup) -> None:
    made = ref(7, CNI, pid=0)
    setup.at(0.0, made)
    setup.at(WAIT_FOR_PROCESS_SECONDS, made)
    setup.workloads.run(101)
    assert setup.at(WAIT_FOR_PROCESS_SECONDS + 1, ref(7, CNI, pid=101)) == {7: CNI}
    setup.workloads.run(102, "web-1")
    assert setup.at(WAIT_FOR_PROCESS_SECONDS + 2, ref(7, CNI, pid=102)) == {7: CNI}


def test_a_namespace_that_an_engine_has_left_behind_has_the_name_that_it_gave(setup: Setup) -> None:
    made = ref(7, CNI, pid=0)
    setup.at(0.0, made)
    assert setup.at(WAIT_FOR_PROCESS_SECONDS, made) == {7: CNI}
    assert setup.workloads.asked == []


def test_by_hand_without_a_process(setup: Setup) -> None:
    assert setup.at(0.0, ref(7, "web", pid=0)) == {7: "web"}
    assert setup.workloads.asked == []


def test_of_two_names_that_read_the_same_one_is_a_number(setup: Setup) -> None:
    refs = [ref(8, "web"), ref(7, "web")]
    assert setup.at(0.0, *refs) == {7: "web", 8: "8"}


def test_number_instead_of_a_name(setup: Setup) -> None:
    """Of containers; what has a name by hand, or by its engine, keeps it."""
    setup.workloads.run(7, "web")
    refs = [ref(7), ref(8, "db"), ref(9, CNI), ref(10)]
    setup.at(0.0, *refs)
    assert setup.known(*refs, kind=NetnsName.INODE) == {7: "7", 8: "db", 9: CNI, 10: "10"}


def test_another_namespace_with_the_number_has_its_own_name(setup: Setup) -> None:
    setup.workloads.run(7, "web")
    setup.at(0.0, ref(7))
    version = setup.labels.version
    setup.labels.forget(7)
    assert setup.labels.version > version
    setup.workloads.run(7, "db")
    assert setup.at(1.0, ref(7)) == {7: "db"}


def test_number_of_a_namespace_that_is_gone_is_free_for_another(setup: Setup) -> None:
    setup.workloads.run(7, "web")
    setup.at(0.0, ref(7))
    setup.at(1.0)
    setup.workloads.run(7, "db")
    assert setup.at(2.0, ref(7)) == {7: "db"}


def test_a_name_by_hand_that_is_removed_leaves_that_of_the_container(setup: Setup) -> None:
    setup.workloads.run(7, "web")
    assert setup.at(0.0, ref(7, "by-hand")) == {7: "by-hand"}
    assert setup.at(1.0, ref(7)) == {7: "web"}


def test_where_the_broker_is_lost_names_are_not_waited_for(setup: Setup) -> None:
    setup.workloads.error = BrokerUnavailableError("cannot read", "gone")
    setup.workloads.run(7, "web")
    assert setup.at(0.0, ref(7)) == {}
    assert setup.at(WAIT_SECONDS, ref(7)) == {7: "7"}
