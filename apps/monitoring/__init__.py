"""Stage 11: Monitoring, incident response, and rollout.

Is everything healthy, and how far may a strategy go?

Service levels and their error budgets; the ladder from replay over shadow, paper and canary to live: up with evidence,
down at once.

In:     counts and outputs of the loop
Out:    compliance, rollout steps
Codes:  GOV_SLO_*, GOV_ROLLOUT_EVIDENCE_MISSING, GOV_STRATEGY_*, GOV_CONFIG_*
Never:  promotes without evidence; stands between a person and the kill.
"""
