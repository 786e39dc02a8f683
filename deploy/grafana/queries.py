"""PromQL of the panels. A query is (expression, legend)."""

# Calls of clients; the methods Run and Sequence are those between the cluster's processes.
CLIENTS = 'method!~"Run|Sequence"'
# All roles serve the metrics of requests, which count a request once in each process that it passes. Only routers
# (and apollo_local) have this one.
OF_ROUTERS = "and on (instance) apollo_language_detection_confidence_count"
PROCESSES = 'job=~".*apollo.*"'


def _total(counter, by, where):
    vector = f"rate({counter}[$__rate_interval])"
    if where:
        vector = f"{vector} {where}"
    return f"sum by ({by}) ({vector})" if by else f"sum({vector})"


def rate(counter, by="", where="", legend=None):
    """Returns the query of a counter's rate, by labels ("a, b")."""
    if legend is None:
        legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", ")) if by else "all"
    return _total(counter, by, where), legend


def part(counter, of, by="", legend="all"):
    """Returns the query of the rate of a counter as a part of that of another."""
    return f"{_total(counter, by, '')} / {_total(of, by, '')}", legend


def quantiles(histogram, by="", where="", of=(0.5, 0.95, 0.99), name=""):
    """Returns the queries of quantiles of a histogram."""
    labels = f"{by}, le" if by else "le"
    legend = f"{{{{{by}}}}} " if by else f"{name} " if name else ""
    return [(f"histogram_quantile({q}, {_total(histogram + '_bucket', labels, where)})", f"{legend}p{round(q * 100)}")
            for q in of]


def buckets(histogram, where=""):
    """Returns the query of the observations by bucket, for a heat map."""
    vector = f"increase({histogram}_bucket[$__rate_interval])"
    return f"sum by (le) ({vector} {where})" if where else f"sum by (le) ({vector})", "{{le}}"


def burn_rates(ratio, objective):
    """Returns the queries of the speed at which the error budget is spent, in several windows; 1 spends it in 30 days."""
    return [(f"{ratio}:ratio_rate{window} / {objective}", window) for window in ("5m", "1h", "6h", "3d")]


SHARES = "language_layer_expert:apollo_expert_share:ratio_rate5m"
# Kept in the flow picture: experts that more than this part of a language's tokens use.
LEAST_SHARE = 0.5


def _kept(layers):
    return f'{SHARES}{{layer=~"{layers}"}} > {LEAST_SHARE}'


def flow_edges(layers):
    """Returns the query of edges from languages to experts of layers, as the labels id, source, target and mainstat."""
    percent = f'count_values by (language, layer, expert) ("mainstat", round(100 * ({_kept(layers)})))'
    target = f'label_join({percent}, "target", "/", "layer", "expert")'
    return f'label_join(label_join({target}, "source", "", "language"), "id", " ", "language", "target")', ""


def flow_nodes(layers):
    """Returns the query of the ends of the edges, as the labels id and title."""
    languages = f'label_join(count by (language) ({_kept(layers)}), "id", "", "language")'
    experts = f'label_join(count by (layer, expert) ({_kept(layers)}), "id", "/", "layer", "expert")'
    titled = f'label_replace({experts}, "title", "layer $1, expert $2", "id", "(.+)/(.+)")'
    return f'label_join({languages}, "title", "", "language") or {titled}', ""
