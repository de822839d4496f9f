"""Judges of the claims that a set makes: their names, their time, and what is found in them."""

from pvkit.backends.objects import Obj, owner_reference, put, uid
from pvkit.backends.protocol import Fault
from pvkit.conformance.verdict import Verdict
from tests.conformance.histories import message_of, verdict_of
from tests.conformance.invariants.set_story import PARALLEL, SetStory, claim_template

CLAIMS = ("STS-040", "STS-041", "STS-042", "STS-043", "STS-044", "STS-045")


def test_a_set_that_comes_up_breaks_no_promise_about_claims() -> None:
    story = SetStory(volumeClaimTemplates=[claim_template("www"), claim_template("log", "5Gi")])
    story.all_up()
    assert {verdict_of(id, story) for id in CLAIMS} == {Verdict.PASS}


def test_a_pod_must_mount_the_claim_of_its_own_ordinal() -> None:
    story = SetStory()
    volumes = [{"name": "www", "persistentVolumeClaim": {"claimName": "www-web-0"}}]
    story.pod(1, spec__volumes=volumes)
    assert message_of("STS-040", story) == "web-1 mounts www-web-0 for template www, expected www-web-1"


def test_a_pod_must_mount_a_claim_for_every_template() -> None:
    story = SetStory()
    story.pod(0, spec__volumes=None)
    assert "no claim" in message_of("STS-040", story)


def test_the_order_of_volumes_means_nothing() -> None:
    story = SetStory(volumeClaimTemplates=[claim_template("www"), claim_template("log")])
    names = [{"name": one, "persistentVolumeClaim": {"claimName": f"{one}-web-0"}} for one in ("log", "www")]
    story.pod(0, spec__volumes=[{"name": "tmp", "emptyDir": {}}, *names])
    assert verdict_of("STS-040", story) is Verdict.PASS


def test_a_pod_must_not_come_before_its_claims() -> None:
    story = SetStory()
    story.born(0)
    assert message_of("STS-041", story) == "web-0 was created before its claim www-web-0"


def test_a_claim_that_went_a_moment_ago_may_still_have_been_seen() -> None:
    story = SetStory()
    story.gone(story.claim(0), by="client")
    story.born(0)
    assert verdict_of("STS-041", story) is Verdict.PASS


def test_a_claim_that_went_before_a_rest_was_not_seen() -> None:
    story = SetStory()
    story.gone(story.claim(0), by="client")
    story.settled()
    story.born(0)
    assert verdict_of("STS-041", story) is Verdict.FAIL


def test_a_claim_that_is_there_is_taken_as_it_is() -> None:
    story = SetStory()
    story.claim(0, by="client", spec__accessModes=["ReadWriteMany"], metadata__labels=None)
    story.born(0)
    assert {verdict_of(id, story) for id in CLAIMS} <= {Verdict.PASS, Verdict.NOT_EXERCISED}


def test_a_claim_that_no_set_asks_for_must_not_be_made() -> None:
    story = SetStory()
    story.claim(0, metadata__name="web-www-0")
    assert "www-web-<0 to 2>" in message_of("STS-042", story)


def test_a_claim_for_an_ordinal_out_of_range_must_not_be_made() -> None:
    story = SetStory(replicas=2)
    story.claim(2)
    assert verdict_of("STS-042", story) is Verdict.FAIL


def test_a_claim_may_be_made_late_by_a_set_that_was_just_deleted() -> None:
    story = SetStory()
    story.gone(story.set, by="client")
    story.claim(0)
    assert verdict_of("STS-042", story) is Verdict.PASS


def test_the_claim_of_an_ephemeral_volume_is_the_pods() -> None:
    story = SetStory()
    pod = story.born(0)
    story.claim(0, metadata__name="web-0-scratch", metadata__ownerReferences=[owner_reference(pod)])
    assert verdict_of("STS-042", story) is Verdict.NOT_EXERCISED


def test_a_claim_must_ask_for_what_its_template_says() -> None:
    story = SetStory()
    story.claim(0, spec__resources={"requests": {"storage": "2Gi"}})
    assert "does not ask for what its template says" in message_of("STS-043", story)


def test_equal_sizes_in_other_words_are_equal() -> None:
    story = SetStory()
    story.claim(0, spec__resources={"requests": {"storage": "1024Mi"}})
    assert verdict_of("STS-043", story) is Verdict.PASS


def test_a_class_that_the_template_leaves_open_may_be_filled_in() -> None:
    story = SetStory()
    story.claim(0, spec__storageClassName="standard")
    assert verdict_of("STS-043", story) is Verdict.PASS


def test_a_claim_must_carry_the_labels_of_the_selector() -> None:
    story = SetStory()
    story.claim(0, metadata__labels=None)
    assert verdict_of("STS-044", story) is Verdict.FAIL


def test_a_pod_must_not_be_created_on_a_claim_that_is_going() -> None:
    story = SetStory()
    story.mark(story.claim(0), by="client")
    story.settled()
    story.born(0)
    assert "is being deleted" in message_of("STS-045", story)


def test_where_views_lag_a_claim_that_is_going_may_look_whole() -> None:
    story = SetStory()
    story.mark(story.claim(0), by="client")
    story.born(0)
    assert verdict_of("STS-045", story, lag=5.0) is Verdict.PASS
    assert verdict_of("STS-045", story, lag=0.0) is Verdict.FAIL


def test_a_set_whose_view_of_claims_is_held_back_may_not_know_of_a_deletion() -> None:
    story = SetStory()
    story.asked(Fault("hold", {"controller": "statefulset", "kind": "PersistentVolumeClaim"}))
    story.mark(story.claim(0), by="client")
    story.born(0)
    assert verdict_of("STS-045", story) is Verdict.PASS


def lost_claim(**spec: object) -> SetStory:
    """A pod waits, and its claim is deleted."""
    story = SetStory(**spec)
    story.pod(0, ready=False)
    story.gone(story.got("PersistentVolumeClaim", "www-web-0"), by="client")
    return story


def test_a_claim_lost_under_a_waiting_pod_is_made_again() -> None:
    story = lost_claim()
    story.modified(put(story.got("Pod", "web-0"), ("status", "message"), "claim not found"), by="scheduler")
    story.settled()
    assert "is pending and its claim www-web-0 does not exist" in message_of("STS-046", story)


def test_nothing_about_a_claim_wakes_its_set() -> None:
    story = lost_claim()
    story.settled()
    assert verdict_of("STS-046", story) is Verdict.PASS


def test_a_claim_behind_a_broken_pod_is_never_come_by() -> None:
    story = SetStory()
    story.up(0)
    story.pod(1, ready=False)
    story.ready(story.got("Pod", "web-0"), ready=False)
    story.gone(story.got("PersistentVolumeClaim", "www-web-1"), by="client")
    story.modified(put(story.got("Pod", "web-1"), ("status", "message"), "claim not found"), by="scheduler")
    story.settled()
    assert verdict_of("STS-046", story) is not Verdict.FAIL


def test_a_quota_may_forbid_a_claim() -> None:
    story = lost_claim(**PARALLEL, replicas=1)
    story.added({"kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}})
    story.modified(put(story.got("Pod", "web-0"), ("status", "message"), "claim not found"), by="scheduler")
    story.settled()
    assert verdict_of("STS-046", story) is not Verdict.FAIL


class Disk:
    """What a storage backend holds, and the pods that read it."""

    def __init__(self) -> None:
        self.story = SetStory(replicas=1)
        volume = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"nfs": {"server": "s", "path": "/v"}}}
        self.volume = self.story.added(volume)
        spec: Obj = {"size": "1Gi", "claim": "", "by": "", "data": []}
        self.asset = self.story.added(
            {"kind": "Asset", "metadata": {"name": "nfs:path=/v:server=s"}, "spec": spec}, by="kubelet"
        )
        self.claim = self.story.claim(0)
        reference = {"namespace": "default", "name": "www-web-0", "uid": uid(self.claim)}
        self.volume = self.story.modified(put(self.volume, ("spec", "claimRef"), reference), by="binder")

    def run(self, read: Obj | None, asset: str = "nfs:path=/v:server=s") -> None:
        """A pod starts, reads, leaves its mark, stops and is gone."""
        pod = self.story.ready(self.story.born(0))
        volume = {"claim": "www-web-0", "claimUID": uid(self.claim), "volume": "v", "volumeUID": uid(self.volume)}
        spec = {"pod": "web-0", "namespace": "default", "podUID": uid(pod), "node": "n1"}
        volumes = [{**volume, "asset": asset, "read": read}]
        made = {"kind": "Process", "metadata": {"name": uid(pod)}, "spec": {**spec, "volumes": volumes}}
        process = self.story.added(made, by="kubelet")
        mark = {"claim": uid(self.claim), "pod": "web-0", "podUID": uid(pod)}
        latest = self.story.latest(self.asset)
        self.story.modified(put(latest, ("spec", "data"), [*latest["spec"]["data"], mark]), by="kubelet")
        self.story.mark(pod, by="client")
        self.story.deleted(process, by="kubelet")
        self.story.gone(pod)

    @property
    def written(self) -> Obj:
        """The last mark."""
        last: Obj = self.story.latest(self.asset)["spec"]["data"][-1]
        return last


def test_a_pod_that_comes_back_finds_its_data() -> None:
    disk = Disk()
    disk.run(None)
    disk.run(disk.written)
    assert verdict_of("STS-047", disk.story) is Verdict.PASS


def test_data_that_is_lost_is_noticed() -> None:
    disk = Disk()
    disk.run(None)
    disk.run(None)
    assert "did not find" in message_of("STS-047", disk.story)


def test_another_disk_behind_the_same_claim_is_noticed() -> None:
    disk = Disk()
    disk.run(None)
    disk.run(None, asset="nfs:path=/w:server=s")
    assert "behind its claim" in message_of("STS-047", disk.story)


def test_a_volume_that_the_client_tampered_with_promises_nothing() -> None:
    disk = Disk()
    disk.run(None)
    disk.story.modified(put(disk.story.latest(disk.volume), ("spec", "claimRef"), None), by="client")
    disk.run(None, asset="nfs:path=/w:server=s")
    assert verdict_of("STS-047", disk.story) is Verdict.PASS


def test_a_new_claim_of_the_same_name_holds_no_old_data() -> None:
    disk = Disk()
    disk.run(None)
    disk.story.gone(disk.claim, by="client")
    disk.claim = disk.story.claim(0)
    disk.run(None)
    assert verdict_of("STS-047", disk.story) is not Verdict.FAIL
