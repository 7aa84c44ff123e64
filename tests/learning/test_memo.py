import numpy as np

from mvrecon.learning.memo import ImageMemo


def test_an_image_is_computed_once_while_it_is_remembered():
    calls = []

    def total(image: np.ndarray) -> int:
        calls.append(image)
        return int(image.sum())

    memo = ImageMemo(total, capacity=2)
    images = [np.full((2, 2, 3), value, np.uint8) for value in (1, 2, 3)]
    assert [memo(images[0]), memo(images[1]), memo(images[0])] == [12, 24, 12]
    assert len(calls) == 2
    memo(images[2])
    assert memo(images[1]) == 24
    assert len(calls) == 4


def test_equal_images_are_told_apart():
    memo = ImageMemo(id)
    first, second = np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    assert memo(first) != memo(second)
