#!/usr/bin/env python3
"""Makes the dashboards in this folder: one JSON file for each, with a stable uid and a variable for the data source.

Usage: deploy/grafana/dashboards.py [--check]
  --check  changes nothing; exit code 1 if a file is not what this program makes

Needs grafana-foundation-sdk (tools/install_packages.sh --dev).
"""

import os
import pathlib
import sys

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
sys.path.insert(0, os.path.join(CACHE, "apollo-moe", "style-tools"))
from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from panels import dashboard, panel, quantiles, rate  # noqa: E402

FOLDER = pathlib.Path(__file__).absolute().parent
CLIENTS = '{method!~"Run|Sequence"}'


def overview():
    return dashboard("apollo-overview", "Apollo-MoE: overview", {
        "Clients": [
            panel("Calls by code", "reqps", rate(f"apollo_requests_total{CLIENTS}", "code")),
            panel("Failed calls, part (objective 0.001)", "percentunit",
                  ("cluster:apollo_failed_requests:ratio_rate5m", "5 minutes"),
                  ("cluster:apollo_failed_requests:ratio_rate1h", "1 hour")),
            panel("Late first tokens, part (objective 0.01)", "percentunit",
                  ("cluster:apollo_late_first_tokens:ratio_rate5m", "5 minutes"),
                  ("cluster:apollo_late_first_tokens:ratio_rate1h", "1 hour")),
            panel("Time to the first token", "s", *quantiles("apollo_family_time_to_first_token_seconds")),
            panel("Generated tokens", "short", ("cluster:apollo_language_generation_tokens:rate5m", "tokens/s")),
            panel("Ends of answers", "short", rate("apollo_request_success_total", "finished_reason")),
        ],
        "Cluster": [
            panel("Running and waiting sequences", "short", ("sum(apollo_num_sequences_running)", "running"),
                  ("sum(apollo_num_requests_waiting)", "waiting")),
            panel("Use of caches", "percentunit", ("apollo_kv_cache_usage_perc", "{{instance}}"),
                  ("apollo_expert_kv_cache_usage_perc", "{{instance}} (experts)"), most=1),
            panel("Ready processes", "short", ("sum(apollo_ready)", "ready"), ("count(apollo_ready)", "all")),
        ],
    })


def languages():
    return dashboard("apollo-languages", "Apollo-MoE: languages and experts", {
        "Languages": [
            panel("Calls by language", "reqps", ("topk(15, language:apollo_language_requests:rate5m)", "{{language}}")),
            panel("Generated tokens by family", "short", rate("apollo_language_generation_tokens_total", "family")),
            panel("Time to the first token by family", "s",
                  ("family:apollo_time_to_first_token_seconds:p95_5m", "{{family}} p95")),
            panel("How languages were found", "reqps", rate("apollo_language_choices_total", "outcome")),
            panel("Confidence of the detection", "percentunit", *quantiles("apollo_language_detection_confidence"),
                  most=1),
        ],
        "Experts": [
            panel("Tokens by expert", "short", rate("apollo_expert_tokens_total", "expert")),
            panel("Tokens outside the family's expert, part", "percentunit",
                  ("sum by (language) (rate(apollo_off_family_tokens_total[$__rate_interval])) / "
                   "sum by (language) (rate(apollo_family_tokens_total[$__rate_interval]))", "{{language}}"), most=1),
            panel("Workers with the expert in memory", "short", ("expert:apollo_expert_holders:count", "{{expert}}")),
            panel("Rows computed by other workers", "short", rate("apollo_expert_rows_away_total", "expert")),
        ],
    })


def workers():
    return dashboard("apollo-workers", "Apollo-MoE: workers and links", {
        "Stages": [
            panel("Busy time of dense stages", "percentunit",
                  ("instance:apollo_dense_busy:ratio_rate5m", "{{instance}}")),
            panel("Busy time of expert stages", "percentunit",
                  ("instance:apollo_expert_busy:ratio_rate5m", "{{instance}}")),
            panel("Time to an expert worker's answer", "s", *quantiles("apollo_expert_answer_seconds")),
            panel("Rows of a dense step", "short", *quantiles("apollo_dense_step_rows")),
            panel("Rows of an expert batch", "short", *quantiles("apollo_expert_batch_rows")),
            panel("Preemptions", "short", rate("apollo_num_preemptions_total", "instance")),
        ],
        "Failures": [
            panel("Sequences run again by routers", "short", rate("apollo_sequences_reissued_total", "cause")),
            panel("Sequences moved by dense workers", "short", rate("apollo_sequences_moved_total", "cause")),
            panel("Pauses of moved sequences", "s", *quantiles("apollo_sequence_pause_seconds", "cause")),
        ],
        "Links": [
            panel("Bytes", "Bps", rate("apollo_link_bytes_total", "direction")),
            panel("Ends", "short", rate("apollo_links_ended_total", "how")),
            panel("Full queues", "short", rate("apollo_link_full_total", "instance")),
        ],
        "Processes": [
            panel("Processors", "short", ("rate(process_cpu_seconds_total{job=~\".*apollo.*\"}[$__rate_interval])",
                                          "{{instance}}")),
            panel("Memory", "bytes", ("process_resident_memory_bytes{job=~\".*apollo.*\"}", "{{instance}}")),
            panel("Open files", "short", ("process_open_fds{job=~\".*apollo.*\"}", "{{instance}}")),
        ],
    })


def callers():
    return dashboard("apollo-callers", "Apollo-MoE: callers", {
        "Callers": [
            panel("Calls by caller", "reqps", rate("apollo_caller_requests_total", "caller")),
            panel("Tokens by caller", "short", rate("apollo_caller_tokens_total", "caller")),
            panel("Calls that a limit refused", "reqps", rate("apollo_caller_limited_total", "caller")),
        ],
        "Refused and failed": [
            panel("Refused calls", "reqps",
                  rate('apollo_requests_total{method!~"Run|Sequence",code=~"RESOURCE_EXHAUSTED|PERMISSION_DENIED|'
                       'UNAUTHENTICATED"}', "code")),
            panel("Failed entries of the audit log", "short", ("sum(apollo_audit_failing)", "routers")),
            panel("Connections refused", "short", rate("apollo_connections_refused_total", "instance")),
        ],
    })


DASHBOARDS = {"overview": overview, "languages": languages, "workers": workers, "callers": callers}


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__.strip())
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    result = 0
    for name, make in DASHBOARDS.items():
        path = FOLDER / f"{name}.json"
        text = JSONEncoder(sort_keys=True, indent=1).encode(make()) + "\n"
        if not sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not what {sys.argv[0]} makes; run it without --check", file=sys.stderr)
            result = 1
    return result


if __name__ == "__main__":
    sys.exit(main())
