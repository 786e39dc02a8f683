"""The dashboard of languages, their families, and the experts that their tokens use."""

from panels import dashboard, flow, heat, layers, lines, matrix
from queries import LEAST_SHARE, SHARES, buckets, flow_edges, flow_nodes, part, quantiles, rate


def _languages():
    return [
        lines("Calls by language", "reqps", ("topk(15, language:apollo_language_requests:rate5m)", "{{language}}"),
              about="The 15 most frequent languages. und: no language was given or found."),
        lines("Generated tokens by language", "suffix: tok/s",
              ("topk(15, sum by (language) (rate(apollo_language_generation_tokens_total[$__rate_interval])))",
               "{{language}}"), about="The 15 languages with the most tokens of answers."),
        lines("Generated tokens by family", "suffix: tok/s",
              rate("apollo_language_generation_tokens_total", "family"), stacked=True,
              about="Each family has an expert of its own."),
        lines("Time to the first token by family, p95", "s",
              ("family:apollo_time_to_first_token_seconds:p95_5m", "{{family}}"),
              about="A family that is slow alone needs another worker with its expert."),
        lines("How languages were found", "reqps", rate("apollo_language_choices_total", "outcome"), stacked=True,
              about="given: by the request; the others: by the detection, or not."),
        heat("Confidence of the detection", "percentunit", buckets("apollo_language_detection_confidence"),
             about="Calls by the confidence of the detection in the most likely family."),
    ]


def _use():
    return [
        matrix("Tokens of a language that use an expert, layer $layer",
               f'{SHARES}{{layer=~"$layer"}}', "language", "expert", width=12, height=16, repeat="layer",
               about="Part of each language's tokens that use each expert, in the last 5 minutes. A token uses several "
                     "experts, so a row adds up to their number."),
    ]


def _flow():
    return [
        flow(f"Experts that more than {LEAST_SHARE:.0%} of a language's tokens use", flow_nodes("$layer"),
             flow_edges("$layer"), width=24, height=16,
             about="From languages to the experts of the chosen layers. An edge tells the part of the language's tokens "
                   "in percent; experts with less have no edge."),
    ]


def _experts():
    return [
        lines("Tokens by expert", "suffix: tok/s", rate("apollo_expert_tokens_total", "expert", legend="expert {{expert}}"),
              stacked=True,
              about="A token counts once in each sparse layer for each expert that it uses."),
        lines("Tokens outside the family's expert", "percentunit",
              part("apollo_off_family_tokens_total", "apollo_family_tokens_total", "language", "{{language}}"), most=1,
              about="Part of the tokens for which the gate did not choose the expert of the language's family."),
        lines("Workers with the expert in memory", "none", ("expert:apollo_expert_holders:count", "expert {{expert}}"),
              about="With one, the loss of that worker makes others load the expert."),
        lines("Rows computed by other workers", "percentunit",
              part("apollo_expert_rows_away_total", "apollo_expert_tokens_total", "expert", "expert {{expert}}"),
              most=1, about="Part of an expert's rows that travelled to another worker."),
        lines("Sequences by place", "suffix: seq/s", rate("apollo_placed_sequences_total", "where"),
              stacked=True, about="Whether the expert worker of a sequence has the family's expert in memory."),
        lines("Time of loads of experts", "s", *quantiles("apollo_expert_load_seconds"),
              about="Experts of a layer that were loaded after the start. Empty without loads."),
    ]


def make():
    """Returns the dashboard."""
    return dashboard("apollo-languages", "Apollo-MoE: languages and experts",
                     "Traffic by language, and the experts that tokens use.",
                     {"Languages": _languages(), "Use of experts by language": _use(), "Flow": _flow(),
                      "Experts": _experts()}, [layers()])
