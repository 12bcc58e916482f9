"""What programs read and ask for: `/api/v1`, the stream `/ws/v1/stream`, webhooks, and the pages that say how.

One module per resource. `endpoint.py` is the one place where an endpoint gets its permission, its schemas and its
refusals; `description.py` makes the OpenAPI description of them.
"""
