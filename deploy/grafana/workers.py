"""The dashboard of workers, their links, and what failures cost."""

from panels import ORANGE, RED, dashboard, heat, lines
from queries import PROCESSES, buckets, part, quantiles, rate


def _stages():
    return [
        lines("Busy time of dense stages", "percentunit", ("instance:apollo_dense_busy:ratio_rate5m", "{{instance}}"),
              about="Part of the time in which the dense layers compute. Near 100%: add dense workers."),
        lines("Busy time of expert stages", "percentunit",
              ("instance:apollo_expert_busy:ratio_rate5m", "{{instance}}"),
              about="Part of the time in which the sparse layers have a batch. Near 100%: add expert workers."),
        heat("Time to an expert worker's answer", "s", buckets("apollo_expert_answer_seconds"),
             about="Steps of dense workers, by the time from sending rows to the answer."),
        lines("Time of steps, p95", "s", *quantiles("apollo_dense_step_seconds", of=(0.95,), name="dense"),
              *quantiles("apollo_expert_batch_seconds", of=(0.95,), name="experts"),
              about="Time of a step in the dense layers, and of a batch in the sparse layers."),
        lines("Rows of a step, p50 and p95", "none",
              *quantiles("apollo_dense_step_rows", of=(0.5, 0.95), name="dense"),
              *quantiles("apollo_expert_batch_rows", of=(0.5, 0.95), name="experts"),
              about="More rows for each step use a processor better."),
        lines("Rows", "suffix: rows/s", rate("apollo_dense_rows_total", "kind", legend="dense, {{kind}}"),
              rate("apollo_expert_rows_total", legend="experts"), about="Rows through the dense and sparse layers."),
        lines("Preemptions", "suffix: /s", rate("apollo_num_preemptions_total", "instance", legend="{{instance}} dense"),
              rate("apollo_num_expert_preemptions_total", "instance", legend="{{instance}} experts"),
              about="Sequences that lost their cache blocks and are computed again: the cache is too small."),
        lines("Waiting sequences by priority", "none", ("sum by (priority) (apollo_waiting_sequences)", "{{priority}}"),
              stacked=True, about="Sequences that wait for cache blocks of dense workers."),
        lines("Rows between expert workers", "suffix: rows/s", rate("apollo_expert_rows_sent_total", legend="sent"),
              rate("apollo_expert_rows_resent_total", legend="sent again"),
              rate("apollo_expert_rows_on_standby_total", legend="on standby"),
              about="Rows for an expert of another worker, those sent again because of a failure, and those of experts "
                    "that had to be loaded first."),
    ]


def _failures():
    return [
        lines("Sequences run again by routers", "suffix: seq/s",
              rate("apollo_sequences_reissued_total", "cause"),
              about="Their dense worker was lost, silent, stopping, or refused them. Clients see a pause."),
        lines("Sequences moved by dense workers", "suffix: seq/s", rate("apollo_sequences_moved_total", "cause"),
              about="Their expert worker was lost, silent or stopping. Clients see a pause."),
        lines("Sequences given up", "suffix: seq/s", rate("apollo_sequences_given_up_total", legend="given up"),
              about="Sequences that failed after they had been run again."),
        lines("Pauses after the loss of a dense worker, p95", "s",
              *quantiles("apollo_reissue_pause_seconds", "cause", of=(0.95,)),
              about="From the loss to the first event of the next dense worker. Empty without losses."),
        lines("Pauses after the loss of an expert worker, p95", "s",
              *quantiles("apollo_sequence_pause_seconds", "cause", of=(0.95,)),
              about="From the notice to the next token. Empty without losses."),
        lines("Usable workers", "none", ("min(apollo_num_dense_workers_live)", "dense"),
              ("min(apollo_num_expert_workers_ready)", "expert"),
              ("max(apollo_num_dense_workers_silent)", "dense, silent"),
              ("max(apollo_num_expert_workers_silent)", "expert, silent"),
              about="As the router sees dense workers, and dense workers see expert workers, at worst."),
    ]


def _links():
    return [
        lines("Bytes", "Bps", rate("apollo_link_bytes_total", "direction"), about="Frames between workers."),
        lines("Frames", "suffix: frames/s", rate("apollo_link_frames_total", "direction"),
              about="Frames between workers."),
        lines("Open links", "none", ("apollo_links_open", "{{instance}}"), about="Links to other workers."),
        lines("Ends of links", "suffix: links/s", rate("apollo_links_ended_total", "how"),
              about="Closed by this worker, lost, or never open."),
        lines("Full queues", "suffix: /s", rate("apollo_link_full_total", "instance"),
              about="Times that another worker took frames too slowly."),
        lines("Prompt tokens known to be cached", "percentunit",
              part("apollo_routed_prefix_tokens_total", "apollo_routed_prompt_tokens_total", legend="known"), most=1,
              about="Part of the prompt tokens that routers knew to be in the chosen dense worker's cache."),
    ]


def _processes():
    return [
        lines("Processors", "none", (f"rate(process_cpu_seconds_total{{{PROCESSES}}}[$__rate_interval])",
                                     "{{instance}}"), about="Processors that a process uses."),
        lines("Memory", "bytes", (f"process_resident_memory_bytes{{{PROCESSES}}}", "{{instance}}"),
              about="Resident memory."),
        lines("Open files", "percentunit",
              (f"process_open_fds{{{PROCESSES}}} / process_max_fds{{{PROCESSES}}}", "{{instance}}"), most=1,
              marks=((0.8, RED),), about="Part of the files that a process may open. Most are connections."),
        lines("Ready and live", "none", ("sum(apollo_ready)", "ready"), ("sum(apollo_live)", "live"),
              (f"count(up{{{PROCESSES}}})", "all"), about="Processes that serve, and that make progress."),
        lines("Builds", "none", ("count by (version, commit) (apollo_build_info)", "{{version}} {{commit}}"),
              stacked=True, about="Processes by version and commit: two only during an upgrade."),
        lines("Time until certificates expire", "s",
              ("apollo_tls_certificate_expiry_seconds - time()", "{{instance}}"),
              marks=((172800, RED), (1209600, ORANGE)), about="Empty without TLS."),
    ]


def make():
    """Returns the dashboard."""
    return dashboard("apollo-workers", "Apollo-MoE: workers and links", "Stages, failures, links and processes.", {
        "Stages": _stages(), "Failures": _failures(), "Links": _links(), "Processes": _processes()})
