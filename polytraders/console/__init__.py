"""The operator's console: pages, interface and live updates. Reads the projections, and the log for one packet.

Nothing is decided here, and nothing of the loop is loaded. Commands go through the inbox like everybody's.
"""
