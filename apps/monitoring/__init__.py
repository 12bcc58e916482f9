"""Stage 11: Monitoring, incident response, and rollout.

Is everything healthy, and how far may a strategy go?

Service levels and their error budgets; alerts, and incidents that open themselves and are told to people until somebody
answers; the ladder from replay over shadow, paper and canary to live: up with evidence, down at once.

In:     counts and outputs of the loop; looks at the system from outside
Out:    compliance, alerts, incidents, messages, rollout steps
Codes:  GOV_SLO_*, GOV_ROLLOUT_EVIDENCE_MISSING, GOV_STRATEGY_*, GOV_CONFIG_*, GOV_LOOP_SILENT, GOV_HEALTH_UNKNOWN,
        GOV_FEED_DOWN, GOV_ORDER_UNKNOWN and the other codes of operation
Never:  promotes without evidence; stands between a person and the kill; takes silence for health.
Change: who is told: on the page Incidents; how urgent a code is: `apps/monitoring/priorities.toml`; stages and
        kills: on the page Kill and rollout.
"""
