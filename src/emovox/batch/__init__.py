"""Analysis of whole archives of recordings, on all cores or on a Ray cluster, into one Parquet file. Resumable."""
