"""Panels of the dashboards, as plain data, and the dashboards that are made of them."""

from grafana_foundation_sdk.builders.common import VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.builders.timeseries import Panel
from grafana_foundation_sdk.models.dashboard import DataSourceRef

# Chosen by the reader of a dashboard.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 8, 8  # Three panels in a row of 24.


def panel(title, unit, *queries, most=None):
    """Returns a panel of lines. Each query is (PromQL, legend); `unit` is one of Grafana's."""
    made = Panel().title(title).unit(unit).min(0).datasource(SOURCE).span(WIDTH).height(HEIGHT)
    made = made.legend(VizLegendOptions().show_legend(True))
    if most is not None:
        made = made.max(most)
    for number, (expression, legend) in enumerate(queries):
        made = made.with_target(
            Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number)).datasource(SOURCE))
    return made


def quantiles(histogram, by=""):
    """Returns the queries of the median and the 95th percentile of a histogram."""
    labels = f"{by}, le" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return [(f"histogram_quantile({q}, sum by ({labels}) (rate({histogram}_bucket[$__rate_interval])))",
             f"{legend}p{round(q * 100)}") for q in (0.5, 0.95)]


def rate(counter, by=""):
    """Returns the query of the rate of a counter, by a label."""
    return (f"sum by ({by}) (rate({counter}[$__rate_interval]))", f"{{{{{by}}}}}") if by else (
        f"sum(rate({counter}[$__rate_interval]))", "all")


def dashboard(uid, title, rows):
    """Returns a dashboard. `rows` maps the title of a row to its panels."""
    made = (Dashboard(title).uid(uid).tags(["apollo-moe"]).refresh("30s").time("now-3h", "now").timezone("browser")
            .readonly().with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus")))
    for name, panels in rows.items():
        made = made.with_row(Row(name))
        for one in panels:
            made = made.with_panel(one)
    return made.build()
