"""Readers of volumes: DICOM series, NIfTI and what else nibabel reads, MetaImage, NRRD."""
