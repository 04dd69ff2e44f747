"""Builder of the embedded datasets: real drawings from pinned npm packages, rendered in synthetic colours."""
