from jobs.benchmark.measure import Seconds


def test_a_watched_method_is_timed_and_left_as_it_was():
    class Adder:
        def add(self, a, b):
            return a + b

    clock, adder = Seconds(), Adder()
    with clock.watching("adding", adder, "add"):
        assert adder.add(1, 2) == 3
    assert clock.taken["adding"] > 0 and not vars(adder)
