"""The stages of the pipeline, one room each, in DAG order."""
