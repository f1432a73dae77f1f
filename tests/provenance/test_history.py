"""What a set of headers says about a log: the chain, and everything wrong with it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import log
from provenance.attestation import Commitment, attest
from provenance.canonical import digest
from provenance.field import Digest
from provenance.history import Chronicle, History, Sighting, examine
from provenance.log import Batch, Genesis
from provenance.training import Run, RunStart
from tests.provenance.documents import DATASET, ISSUER, RUN, START, STRANGER

GENESIS = Genesis("embedded", "embedded-1", bytes(19) + b"rl-tests-1", ISSUER.public_key)
FIRST = log.open_log(GENESIS, ISSUER)
ID = FIRST.header.digest
KEYS = (ISSUER.public_key,)
V1 = replace(DATASET, log=ID, version="v1", previous=None)
V2 = replace(DATASET, log=ID, version="v2", previous=V1.digest)
BEGUN = replace(START, log=ID)
ENDED = replace(RUN, log=ID, start=BEGUN.digest)


def sealed(commitment: Commitment) -> bytes:
    return attest(commitment, ISSUER).encoded


def chain(*posts: tuple[list[bytes], bytes | None]) -> list[Batch]:
    """Return a log: the first header, and a batch for each list of entries with a statement."""
    batches = [FIRST]
    for entries, statement in posts:
        batches.append(log.append(batches[-1].header, entries, statement, ISSUER))
    return batches


def seen(batch: Batch, height: int | None = None, *, entries: bool = True) -> Sighting:
    header = log.verify_header(batch.envelope, KEYS)
    shown = log.split_entries(batch.entries) if entries else None
    return Sighting(header, height, shown)


def told(*batches: Batch) -> History:
    return examine([seen(batch, 2 + n) for n, batch in enumerate(batches)], KEYS, {})


def kinds(history: History) -> list[str]:
    return [problem.kind for problem in history.problems]


HONEST = chain(
    ([log.full_entry(sealed(V1)), log.full_entry(sealed(V2))], None),
    ([], sealed(BEGUN)),
    ([], sealed(ENDED)),
)


def test_an_honest_log_has_no_problems() -> None:
    history = told(*HONEST)
    assert history.problems == ()
    assert history.is_open
    assert [s.sealed.header.sequence for s in history.headers] == [0, 1, 2, 3]
    assert history.starts() == ((2, BEGUN),)
    assert history.runs() == ((3, ENDED),)
    assert [item.subject for _, item in history.attestations[:2]] == [V1.digest, V2.digest]


@settings(deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=3))
def test_order_and_repetition_do_not_matter(order: list[int], again: list[int]) -> None:
    sightings = [seen(HONEST[n], 2 + n) for n in [*order, *again]]
    assert examine(sightings, KEYS, {}) == told(*HONEST)


def test_the_same_header_posted_twice_counts_where_it_stood_first() -> None:
    history = examine([seen(HONEST[0], 9), seen(HONEST[0], 2), seen(HONEST[0], 5)], KEYS, {})
    assert [s.height for s in history.headers] == [2]
    assert history.problems == ()


def test_a_gap_is_found() -> None:
    history = told(HONEST[0], HONEST[2], HONEST[3])
    assert kinds(history) == ["gap"]
    assert "headers 1 to 1 are missing" in history.problems[0].words
    assert len(history.headers) == 1


def test_a_fork_is_found() -> None:
    other = log.append(HONEST[1].header, [], None, ISSUER)
    history = told(*HONEST, other)
    assert kinds(history) == ["fork"]
    assert history.problems[0].subject == "batch 2"


def test_a_second_first_header_under_one_key_is_found() -> None:
    other = log.open_log(replace(GENESIS, chain="embedded-2"), ISSUER)
    assert kinds(told(*HONEST, other)) == ["second-log"]


def test_a_rewritten_header_is_found() -> None:
    changed = replace(HONEST[1].header, root=Digest(b"\7" * 32))
    forged = Batch(changed, log._seal(changed, ISSUER), b"")
    sightings = [seen(HONEST[0], 2), seen(forged, 3, entries=False), seen(HONEST[2], 4)]
    history = examine(sightings, KEYS, {})
    assert "rewritten" in kinds(history)
    assert history.unseen == (1,)
    assert not history.is_open


def test_a_header_that_names_another_log_is_found() -> None:
    changed = replace(HONEST[1].header, log=Digest(b"\7" * 32))
    history = told(
        HONEST[0], replace(HONEST[1], header=changed, envelope=log._seal(changed, ISSUER))
    )
    assert [p.words for p in history.problems] == ["it names another log"]


def test_a_header_posted_below_its_predecessor_is_found() -> None:
    history = examine([seen(HONEST[0], 5), seen(HONEST[1], 4)], KEYS, {})
    assert kinds(history) == ["rewritten"]
    assert "height 4, before its predecessor" in history.problems[0].words
    assert examine([seen(HONEST[0], 5), seen(HONEST[1], 5)], KEYS, {}).problems == ()
    assert examine([seen(HONEST[0]), seen(HONEST[1], 4)], KEYS, {}).problems == ()


def test_digests_are_opened_by_envelopes_that_are_shown() -> None:
    batches = chain(([log.digest_entry(sealed(V1))], None))
    hidden = told(*batches)
    assert hidden.unopened == {digest(sealed(V1))}
    assert not hidden.is_open
    sightings = [seen(batch) for batch in batches]
    opened = examine(sightings, KEYS, {digest(sealed(V1)): sealed(V1)})
    assert opened.is_open
    assert [item.subject for _, item in opened.attestations] == [V1.digest]


@pytest.mark.parametrize("commitment", [BEGUN, ENDED])
def test_starts_and_runs_among_entries_are_misplaced(commitment: RunStart | Run) -> None:
    history = told(*chain(([log.full_entry(sealed(commitment))], None)))
    assert kinds(history) == ["misplaced"]
    assert history.attestations == ()


def test_anything_else_in_a_header_is_misplaced() -> None:
    assert kinds(told(*chain(([], sealed(V1))))) == ["misplaced"]


def test_entries_that_are_no_attestations_are_found() -> None:
    foreign = attest(replace(V1, issuer=STRANGER.public_key.key_id), STRANGER).encoded
    history = told(*chain(([log.full_entry(b"{}"), log.full_entry(foreign)], None)))
    assert kinds(history) == ["bad-entry", "bad-entry"]


def test_two_commitments_two_firsts_and_two_children_are_found() -> None:
    other = replace(V2, records=V2.records + 1)
    history = told(
        *HONEST, log.append(HONEST[-1].header, [log.full_entry(sealed(other))], None, ISSUER)
    )
    assert kinds(history) == ["two-commitments", "two-children"]
    assert [p.subject for p in history.problems] == [V2.label, V1.label]
    first = replace(V1, version="v0")
    history = told(
        *HONEST, log.append(HONEST[-1].header, [log.full_entry(sealed(first))], None, ISSUER)
    )
    assert kinds(history) == ["two-firsts"]
    assert history.problems[0].subject == V1.name


def test_two_children_of_an_unseen_version_are_found() -> None:
    unseen = Digest(b"\7" * 32)
    entries = [
        log.full_entry(sealed(replace(V2, previous=unseen, version=version)))
        for version in ("v3", "v4")
    ]
    history = told(*chain((entries, None)))
    assert [(p.kind, p.subject) for p in history.problems] == [("two-children", unseen.hex()[:16])]


def test_two_runs_for_one_start_are_found() -> None:
    second = sealed(replace(ENDED, metrics={}))
    history = told(*HONEST, log.append(HONEST[-1].header, [], second, ISSUER))
    assert [(p.kind, p.subject) for p in history.problems] == [("two-runs", BEGUN.name)]


def test_runs_without_their_start_are_found() -> None:
    orphans = chain(([], sealed(ENDED)), ([], sealed(replace(ENDED, metrics={}))))
    subject = BEGUN.digest.hex()[:16]
    assert [(p.kind, p.subject) for p in told(*orphans).problems] == [
        ("two-runs", subject),
        ("run-without-start", subject),
    ]


def test_a_digest_is_opened_by_the_envelope_itself_before_or_after() -> None:
    closed, full = log.digest_entry(sealed(V1)), log.full_entry(sealed(V1))
    for first, second in ((closed, full), (full, closed)):
        history = told(*chain(([first], None), ([second], None)))
        assert history.is_open
        assert kinds(history) == []


def test_one_sighting_at_a_time_tells_the_same_as_all_at_once() -> None:
    """The monitor's way and the auditor's way."""
    other = log.append(HONEST[1].header, [], sealed(ENDED), ISSUER)
    posts = [seen(batch, 2 + n) for n, batch in enumerate((*HONEST, other))]
    step = Chronicle(KEYS, {})
    for sighting in posts:
        step.add(sighting)
    assert step.history() == examine(posts, KEYS, {})


def test_entries_that_come_later_count_where_they_stand() -> None:
    step = Chronicle(KEYS, {})
    for sighting in (seen(HONEST[0], 2), seen(HONEST[1], 3, entries=False)):
        step.add(sighting)
    assert [p.kind for p in step.whole().problems] == ["entries-missing"]
    step.add(seen(HONEST[1], 4))
    step.add(seen(HONEST[1], 9))
    history = step.whole()
    assert (history.problems, history.headers[1].height) == ((), 4)
    assert len(history.attestations) == 2
    assert step.examination.head == (1, HONEST[1].header.digest)


def test_a_run_before_its_start_waits_for_it() -> None:
    step = Chronicle(KEYS, {})
    batches = chain(([], sealed(ENDED)), ([], sealed(BEGUN)))
    for batch in batches[:2]:
        step.add(seen(batch, 2))
    assert [p.kind for p in step.whole().problems] == ["run-without-start"]
    step.add(seen(batches[2], 3))
    assert step.whole().problems == ()


def test_of_many_headers_after_a_gap_the_first_is_told() -> None:
    history = told(HONEST[0], HONEST[2], HONEST[3])
    assert kinds(history) == ["gap"]
    step = Chronicle(KEYS, {})
    for batch in (HONEST[0], HONEST[3], HONEST[2]):
        step.add(seen(batch, 2))
    assert [p.words for p in step.history().problems] == ["the headers 1 to 2 are missing"]
