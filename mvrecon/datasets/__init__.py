"""What comes from elsewhere in its own on-disk layout: data sets with truth, camera poses."""
