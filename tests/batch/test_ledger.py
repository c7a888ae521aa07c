"""The ledger alone, against a history written down by hand."""

from limner.batch.ledger import Entry, Ledger


def test_a_job_is_begun_until_it_is_finished_and_then_known():
    ledger = Ledger()
    assert ledger.begin(5) == Entry(1, None)
    assert ledger.begin(5) == Entry(2, None)
    assert ledger.begin(6) == Entry(1, None)
    ledger.finish(5, '{"a": 1}')
    assert ledger.begin(5) == ledger.begin(5) == Entry(2, '{"a": 1}')
    assert ledger.begin(6) == Entry(2, None)


def test_what_has_arrived_is_forgotten_and_nothing_else():
    ledger = Ledger()
    for index in (1, 2, 3):
        ledger.begin(index)
        ledger.finish(index, str(index))
    ledger.forget([1, 3, 99])
    assert ledger.begin(2) == Entry(1, "2")
    assert ledger.begin(1) == ledger.begin(3) == Entry(1, None)
