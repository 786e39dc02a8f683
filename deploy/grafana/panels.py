"""Panels of the dashboards, all in one style, and the dashboards that are made of them."""

from grafana_foundation_sdk.builders import heatmap, nodegraph, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (GraphThresholdsStyleConfig, StackingConfig, VizLegendOptions,
                                                    VizTooltipOptions)
from grafana_foundation_sdk.builders.dashboard import (Dashboard, DashboardLink, DatasourceVariable, FieldColor,
                                                       QueryVariable, Row, ThresholdsConfig)
from grafana_foundation_sdk.builders.heatmap import HeatmapColorOptions, YAxisConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (DashboardCursorSync, DashboardLinkType, DataSourceRef,
                                                     DataTransformerConfig, DynamicConfigValue, FieldColorModeId,
                                                     Threshold, ThresholdsMode, VariableRefresh, VariableSort)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# Chosen by the reader of a dashboard.
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
WIDTH, HEIGHT = 8, 8  # Three panels in a row of 24.
GREEN, ORANGE, RED = "green", "orange", "red"


def _begin(builder, title, about, width=WIDTH, height=HEIGHT):
    return builder.Panel().title(title).description(about).datasource(SOURCE).span(width).height(height)


def _query(expression, legend, number=0):
    return (Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number)).datasource(SOURCE)
            .range())


def _table(expression, number=0):
    return (Dataquery().expr(expression).ref_id(chr(ord("A") + number)).datasource(SOURCE)
            .format(PromQueryFormat.TABLE).instant())


def _steps(first, *others):
    """Returns thresholds: a colour, and (least value, colour) for what is above."""
    steps = [Threshold(color=first)] + [Threshold(value=value, color=color) for value, color in others]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def lines(title, unit, *queries, about, most=None, stacked=False, marks=()):
    """Returns a panel of lines over time. `unit` is one of Grafana's; `marks` are (value, colour) of dashed lines."""
    made = _begin(timeseries, title, about).unit(unit).min(0)
    made = made.legend(VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.LIST)
                       .placement(common.LegendPlacement.BOTTOM))
    made = made.tooltip(VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    made = made.fill_opacity(40 if stacked else 8).show_points(common.VisibilityMode.NEVER)
    if stacked:
        made = made.stacking(StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if most is not None:
        made = made.max(most)
    if marks:
        made = made.thresholds(_steps("transparent", *marks)).thresholds_style(
            GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED))
    for number, (expression, legend) in enumerate(queries):
        made = made.with_target(_query(expression, legend, number))
    return made


def number(title, unit, expression, about, first, *others, decimals=None):
    """Returns a panel of one number; `first` and `others` are its colours, as those of _steps."""
    made = _begin(stat, title, about, width=4, height=4).unit(unit).thresholds(_steps(first, *others))
    if decimals is not None:
        made = made.decimals(decimals)
    return made.graph_mode(common.BigValueGraphMode.AREA).with_target(_query(expression, title))


def heat(title, unit, query, about):
    """Returns a heat map of a histogram's buckets over time."""
    expression, legend = query
    colors = (HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64).exponent(0.5)
              .scale(HeatmapColorScale.EXPONENTIAL).reverse(False).fill("dark-blue"))
    return (_begin(heatmap, title, about).calculate(False).color(colors).y_axis(YAxisConfig().unit(unit))
            .show_tooltip().with_target(_query(expression, legend).format(PromQueryFormat.HEATMAP)))


def matrix(title, query, rows, columns, about, width, height, repeat):
    """Returns a table of parts from 0 to 1 with a row for each value of a label and a column for each of another, in
    colours. It is repeated for each value of a variable."""
    made = _begin(table, title, about, width, height).unit("percentunit").decimals(0).min(0).max(1)
    made = made.color_scheme(FieldColor().mode(FieldColorModeId.CONTINUOUS_BLUES)).cell_height(common.TableCellHeight.SM)
    made = made.override_by_field_type("number", [DynamicConfigValue(
        id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"})])
    for identifier, options in (
            ("sortBy", {"fields": {}, "sort": [{"field": columns}]}),
            ("groupingToMatrix", {"columnField": columns, "rowField": rows, "valueField": "Value"}),
            ("sortBy", {"fields": {}, "sort": [{"field": f"{rows}\\{columns}"}]})):
        made = made.with_transformation(DataTransformerConfig(id_val=identifier, options=options))
    return made.repeat(repeat).repeat_direction("h").with_target(_table(query))


def flow(title, nodes, edges, about, width, height):
    """Returns a graph. The queries have the labels id and title of nodes, and id, source and target of edges."""
    return (_begin(nodegraph, title, about, width, height).nodes(nodegraph.NodeOptions())
            .edges(nodegraph.EdgeOptions())
            .with_target(_table(nodes[0])).with_target(_table(edges[0], 1)))


def layers():
    """Returns the variable of the sparse layers."""
    return (QueryVariable("layer").label("Sparse layers").datasource(SOURCE).multi(True).include_all(True)
            .query("label_values(apollo_family_tokens_total, layer)").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .current({"selected": True, "text": ["All"], "value": ["$__all"]})
            .sort(VariableSort.NUMERICAL_ASC))


def dashboard(uid, title, about, rows, variables=()):
    """Returns a dashboard. `rows` maps the title of a row to its panels."""
    links = DashboardLink("Apollo-MoE").type(DashboardLinkType.DASHBOARDS).tags(["apollo-moe"]).include_vars(True)
    made = (Dashboard(title).uid(uid).description(about).tags(["apollo-moe"]).refresh("30s").time("now-3h", "now")
            .timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR).readonly()
            .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
            .link(links.keep_time(True)))
    for variable in variables:
        made = made.with_variable(variable)
    identifier = 0
    for name, panels in rows.items():
        identifier += 1
        made = made.with_row(Row(name).id(identifier))
        for one in panels:
            identifier += 1
            made = made.with_panel(one.id(identifier))
    return made.build()
