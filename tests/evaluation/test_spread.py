from mvrecon.evaluation.spread import spread


def test_few_are_all_taken():
    assert spread("abc", 3) == ["a", "b", "c"]


def test_of_many_the_first_the_last_and_some_between():
    assert spread(range(101), 5) == [0, 25, 50, 75, 100]
    assert spread(range(9), 1) == [0]
