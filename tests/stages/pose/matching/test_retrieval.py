import numpy as np

from stages.pose.matching.photos import describe_images
from tests.stages.pose.scene import Relief, sideways_path


def test_images_of_one_place_look_more_alike():
    here, there = Relief(seed=1), Relief(seed=2)
    poses = sideways_path(6, 0.02)
    images = [relief.image(pose) for relief in (here, there) for pose in poses[:3]]
    descriptors = describe_images([lambda image=image: image for image in images])
    likeness = descriptors @ descriptors.T
    same = likeness[:3, :3][np.triu_indices(3, 1)].min()
    assert same > likeness[:3, 3:].max()


def test_an_image_without_features_has_a_descriptor():
    flat = np.full((60, 80), 7, np.uint8)
    textured = Relief().image(np.eye(4))
    descriptors = describe_images([lambda: flat, lambda: textured])
    assert np.isfinite(descriptors).all()
    assert np.linalg.norm(descriptors[1]) > 0.99
