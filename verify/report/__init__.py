"""The report: a small static site that opens from disk, its figures, and the page of recorded verdicts."""
