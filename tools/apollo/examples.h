#pragma once

// The ends of the help of the program and of its commands.
namespace apollo::client {

inline constexpr char kProgramExamples[] = R"(
Examples:
  apollo ask "What are the first signs of a stroke?"
  apollo ask --max_new_tokens 200 --temperature 0.7 --seed 1 "¿Qué es la anemia?"
  apollo score "Is aspirin an antibiotic? Answer:" " yes" " no"
  apollo detect "Was sind die Symptome einer Grippe?"
  apollo --server 10.0.0.5:50051 health --wait 30
  apollo status                    all processes of the cluster
  apollo top                       the same, live
  apollo COMMAND --help            all options of one command

Exit codes: 0 success, 1 failed request, 2 wrong usage, 130 interrupted.
Options may be spelled with "-" for "_":  --max-new-tokens
Put an argument that begins with "-" after "--":  apollo ask -- "-5 C: safe?")";

inline constexpr char kAskExamples[] = R"(
The answer goes to standard output as it is generated; serving details and a
summary go to standard error.

Examples:
  apollo ask "Wie wird Asthma behandelt?"
  apollo ask --language de --routing hybrid "Asthma?"
  apollo ask --raw --max_new_tokens 20 "The capital of France is"
  apollo ask --stop $'\n\n' --logprobs 3 "What is insulin?"
  apollo ask - < question.txt
  apollo ask --json "What is insulin?" | jq -r 'select(.delta) | .delta.text')";

inline constexpr char kChatExamples[] = R"(
Each line of input is a message, sent with the conversation so far. At a
terminal, lines can be edited, the arrow keys bring back earlier ones of this
run (they are never written to a file), /help lists the commands, Ctrl-C stops
an answer, and Ctrl-D ends the program. Input from a pipe or a file has the
commands /reset, which forgets the conversation, and /quit.

Examples:
  apollo chat --language fr
  printf 'What is asthma?\nHow is it treated?\n' | apollo chat)";

inline constexpr char kScoreExamples[] = R"(
Prints the log-probability of each continuation directly after the prompt;
"*" marks the best. Mind the space between prompt and continuation.

Examples:
  apollo score --raw "User:Which vitamin prevents scurvy? A) A B) C
  Assistant:" " A" " B"
  apollo score "Is measles caused by a virus?" " Yes" " No")";

inline constexpr char kDetectExamples[] = R"(
Examples:
  apollo detect "Je, malaria huambukizwaje?"
  apollo detect - < letter.txt)";

inline constexpr char kTokenizeExamples[] = R"(
Prints one token per line: its id and its bytes, quoted.

Examples:
  apollo tokenize "Paracetamol 500 mg"
  apollo tokenize --parse_special_tokens "<|endoftext|>")";

inline constexpr char kRoutingExamples[] = R"(
For each sparse layer and language, prints the share of the expert choices that
went to each expert, and the share of tokens for which the gate did not choose
the expert of the language's family ("off family"). --json prints the counts.

Examples:
  apollo routing
  apollo routing --window 300
  apollo routing --json | jq '.languages[] | {language, tokens}')";

inline constexpr char kStatusExamples[] = R"(
Prints a line for each process that the routers of --server know: the routers,
the dense workers, and the expert workers that these are linked to. Exits with 0
only if all of them are ready for every router. With a policy, also prints the
callers.

Examples:
  apollo status
  apollo status --json | jq '.processes[] | select(.state != "PROCESS_STATE_READY")')";

inline constexpr char kTopExamples[] = R"(
Shows what "apollo status" prints, and the rows that each worker computes in a
second and the tokens that each router generates, until q or Ctrl-C. Keys sort:
o by role, n name, l load, r rate, c cache. Without a terminal, prints each look.

Examples:
  apollo top --sort load
  apollo top --once --interval 10      rates of 10 s, as text
  apollo --server a:50051,b:50051 top)";

inline constexpr char kPlacementExamples[] = R"(
Prints, for each expert worker, the experts that it has in memory or has needed
lately: the layer; why it has the expert (flag, file, auto, standby, or absent)
and for how long; rows of the last minutes (of its own sequences; of these,
those while it was absent or on standby; for other workers); the last move.

Examples:
  apollo placement
  apollo placement --json | jq '.processes[] | {name, placement}')";

inline constexpr char kAdminExamples[] = R"(
Examples:
  apollo --server unix:/run/apollo/admin.sock admin drain --mode finish
  apollo --server 127.0.0.1:7201 admin config
  apollo --server 127.0.0.1:7201 admin log_level error)";

inline constexpr char kHealthExamples[] = R"(
Works with every process of a cluster, not only the router.

Examples:
  apollo health
  apollo --server 127.0.0.1:50061 health --wait 60
  apollo --server 127.0.0.1:50061 health --service liveness)";

}  // namespace apollo::client
