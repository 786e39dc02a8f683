"""The dashboard that shows whether clients are served well."""

from panels import GREEN, ORANGE, RED, dashboard, heat, lines, number
from queries import CLIENTS, OF_ROUTERS, PROCESSES, buckets, burn_rates, part, quantiles, rate

# Those of deploy/prometheus/alerts.yml.
MARKS = ((1, GREEN), (6, ORANGE), (14.4, RED))
FIRST_TOKEN = "apollo_family_time_to_first_token_seconds"
BETWEEN_TOKENS = "apollo_inter_token_latency_seconds"


def _objectives():
    failed, late = "cluster:apollo_failed_requests", "cluster:apollo_late_first_tokens"
    return [
        number("Availability, 1 hour", "percentunit", f"1 - {failed}:ratio_rate1h",
               "Part of the calls that did not fail because of the cluster. Objective: 99.9%.",
               RED, (0.999, GREEN), decimals=2),
        number("Availability, 3 days", "percentunit", f"1 - {failed}:ratio_rate3d",
               "Part of the calls that did not fail because of the cluster. Objective: 99.9%.",
               RED, (0.999, GREEN), decimals=2),
        number("First tokens in time, 1 hour", "percentunit", f"1 - {late}:ratio_rate1h",
               "Part of the answers that began within 2.5 s. Objective: 99%.", RED, (0.99, GREEN), decimals=2),
        number("Time to the first token, p95", "s", quantiles(FIRST_TOKEN, of=(0.95,))[0][0],
               "From a call's arrival at a router to its first token.", GREEN, (1, ORANGE), (2.5, RED)),
        number("Time between tokens, p95", "s", quantiles(BETWEEN_TOKENS, where=OF_ROUTERS, of=(0.95,))[0][0],
               "Between two tokens of one answer, at the routers.", GREEN, (0.1, ORANGE), (0.5, RED)),
        number("Ready processes", "percentunit", f"sum(apollo_ready) / count(up{{{PROCESSES}}})",
               "Part of the processes known to Prometheus that are ready to serve.", RED, (0.5, ORANGE), (1, GREEN)),
        lines("Burn rate of failed calls", "none", *burn_rates(failed, 0.001), marks=MARKS,
              about="Speed at which the error budget is spent, by window; at 1 it lasts 30 days. The lines are the "
                    "thresholds of the alerts."),
        lines("Burn rate of late first tokens", "none", *burn_rates(late, 0.01), marks=MARKS,
              about="The same for answers that begin more than 2.5 s after the call."),
        lines("Firing alerts", "none",
              ('count by (alertname, severity) (ALERTS{alertname=~"Apollo.*",alertstate="firing"})',
               "{{alertname}} ({{severity}})"),
              about="Each alert has a section in docs/operations.md. Empty if none fires."),
    ]


def _traffic():
    return [
        lines("Calls by code", "reqps", rate(f"apollo_requests_total{{{CLIENTS}}}", "code"), stacked=True,
              about="Calls of clients that have ended, by gRPC code."),
        lines("Calls by method", "reqps", rate(f"apollo_requests_total{{{CLIENTS}}}", "method"), stacked=True,
              about="Calls of clients that have ended, by method."),
        lines("Calls in progress", "none", (f"sum(apollo_num_requests_running {OF_ROUTERS})", "running"),
              about="Calls that routers work on."),
        lines("Generated tokens", "suffix: tok/s", rate("apollo_language_generation_tokens_total", "family"),
              stacked=True, about="Tokens of answers, by language family."),
        lines("Prompt tokens", "suffix: tok/s", rate("apollo_language_prompt_tokens_total", "family"),
              stacked=True, about="Tokens of prompts, by language family."),
        lines("Ends of answers", "suffix: ans/s",
              rate("apollo_request_success_total", "finished_reason", OF_ROUTERS), stacked=True,
              about="Complete answers, by the reason of their end."),
    ]


def _latency():
    times = [quantiles(f"apollo_request_{name}_time_seconds", where=OF_ROUTERS, of=(0.95,), name=name)[0]
             for name in ("queue", "prefill", "decode")]
    return [
        heat("Time to the first token", "s", buckets(FIRST_TOKEN),
             about="Answers by the time from the call's arrival to the first token."),
        heat("Time between tokens", "s", buckets(BETWEEN_TOKENS, OF_ROUTERS),
             about="Tokens by the time since the token before."),
        heat("Time of calls", "s", buckets('apollo_e2e_request_latency_seconds', OF_ROUTERS),
             about="Calls by the time from arrival to end."),
        lines("Quantiles of the time to the first token", "s", *quantiles(FIRST_TOKEN),
              marks=((2.5, RED),), about="The dashed line is the objective: 99% within 2.5 s."),
        lines("Quantiles of the time between tokens", "s", *quantiles(BETWEEN_TOKENS, where=OF_ROUTERS),
              about="Between two tokens of one answer, at the routers."),
        lines("Parts of a call's time, p95", "s", *times,
              about="Until the first sequence has cache blocks, from then to the first token, and from there to the "
                    "last one."),
    ]


def _cluster():
    return [
        lines("Running and waiting sequences", "none", ("sum(apollo_num_sequences_running)", "running"),
              ("sum(apollo_num_requests_waiting)", "waiting"),
              about="Sequences in dense workers that hold cache blocks, and those that wait for some."),
        lines("Use of caches", "percentunit", ("apollo_kv_cache_usage_perc", "{{instance}} dense"),
              ("apollo_expert_kv_cache_usage_perc", "{{instance}} experts"), most=1,
              about="Cache blocks in use, by worker. At 100% sequences wait or lose their blocks."),
        lines("Prompt tokens found in the cache", "percentunit",
              part("apollo_prefix_cache_hits_total", "apollo_prefix_cache_queries_total", legend="found"), most=1,
              about="Part of the prompt tokens that a dense worker had in its cache."),
    ]


def make():
    """Returns the dashboard."""
    return dashboard("apollo-overview", "Apollo-MoE: overview", "Objectives, traffic and latency of a cluster.", {
        "Objectives": _objectives(), "Traffic": _traffic(), "Latency": _latency(), "Cluster": _cluster()})
