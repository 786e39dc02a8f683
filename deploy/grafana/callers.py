"""The dashboard of callers: who uses the cluster, and who is refused."""

from panels import RED, dashboard, lines
from queries import CLIENTS, OF_ROUTERS, rate

REFUSALS = "RESOURCE_EXHAUSTED|PERMISSION_DENIED|UNAUTHENTICATED|INVALID_ARGUMENT"


def _callers():
    return [
        lines("Calls by caller", "reqps", rate("apollo_caller_requests_total", "caller"), stacked=True,
              about="Finished and refused calls, by the name in the policy. unknown: nobody of the policy."),
        lines("Tokens by caller", "suffix: tok/s", rate("apollo_caller_tokens_total", "caller"), stacked=True,
              about="Tokens of the prompts and answers of finished calls."),
        lines("Tokens by kind", "suffix: tok/s", rate("apollo_caller_tokens_total", "caller, kind"),
              about="Tokens of finished calls."),
        lines("Failed and refused calls by caller", "reqps",
              rate('apollo_caller_requests_total{code!="OK"}', "caller, code"), stacked=True,
              about="Calls that did not end with OK."),
        lines("Calls that a limit refused", "reqps", rate("apollo_caller_limited_total", "caller, limit"),
              stacked=True, about="By the limit of the caller's policy. Empty until a limit has refused a call."),
        lines("Tokens that callers may take", "none",
              ("min by (caller) (apollo_caller_tokens_available)", "{{caller}}"),
              about="In the router where it is the least. At 0 calls are refused."),
    ]


def _access():
    return [
        lines("Refused calls", "reqps", rate(f'apollo_requests_total{{{CLIENTS},code=~"{REFUSALS}"}}', "code"),
              stacked=True, about="Of all callers, by code."),
        lines("Ignored names of callers", "suffix: calls/s",
              rate("apollo_caller_headers_ignored_total", "instance"),
              about="Calls with a header that names a caller, on connections that are not an edge's."),
        lines("Callers with sequences", "none", ("apollo_scheduler_callers", "{{instance}}"),
              about="Callers among whom a dense worker shares its time."),
        lines("Entries of the audit log", "suffix: entries/s", rate("apollo_audit_entries_total", "result"),
              about="By whether they could be written."),
        lines("Audit logs that cannot be written", "none", ("sum(apollo_audit_failing)", "routers"),
              marks=((1, RED),), about="While one cannot, its router refuses calls."),
        lines("Connections to routers", "none", (f"apollo_connections {OF_ROUTERS}", "{{instance}}"),
              about="Open connections to the gRPC port."),
    ]


def make():
    """Returns the dashboard."""
    return dashboard("apollo-callers", "Apollo-MoE: callers", "Use, limits and refusals by caller.", {
        "Callers": _callers(), "Access": _access()})
