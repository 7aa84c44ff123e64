"""Files of the field: video, images, flow, point clouds and meshes, COLMAP, trajectories."""
