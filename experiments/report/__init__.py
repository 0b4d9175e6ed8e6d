"""The report: one self-contained HTML page made from report.json and the tables of a run."""
