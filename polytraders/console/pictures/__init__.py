"""Pictures: SVG drawn by the server, so they need no script, and stand beside a table of the same numbers."""
