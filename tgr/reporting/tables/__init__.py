"""Tables: a frame becomes a `Table`, which is written as CSV, Markdown and LaTeX."""
