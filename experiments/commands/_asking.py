"""Options of a run on who decides in it and how language models are asked."""

from __future__ import annotations

from typing import Annotated

import typer

Mind = Annotated[
    str,
    typer.Option(
        help="rule, another rule's name, llm, archetypes, table=FILE, or a mixture: llm:0.3,rule, llm@0-4,rule."
    ),
]
Model = Annotated[str | None, typer.Option(help="Language model, as provider/model.")]
BaseUrl = Annotated[str | None, typer.Option(help="Address of the model's server, as http://127.0.0.1:8400/v1.")]
Cassette = Annotated[str | None, typer.Option(help="File that keeps the model's replies.")]
CassetteMode = Annotated[
    str | None,
    typer.Option(help="record: ask what is not in the file; replay: never ask; replay-or-live: a key only if needed."),
]
BudgetCalls = Annotated[int | None, typer.Option(help="Most calls to models.")]
BudgetTokens = Annotated[int | None, typer.Option(help="Most tokens.")]
BudgetMoney = Annotated[float | None, typer.Option(help="Most money, in US dollars.")]
Concurrency = Annotated[int | None, typer.Option(help="Most calls under way at once (32).")]
Timeout = Annotated[float | None, typer.Option(help="Seconds until a call has failed (60).")]
Retries = Annotated[int | None, typer.Option(help="How often a failed call or unreadable reply is tried again (3).")]
Temperature = Annotated[float | None, typer.Option(help="Temperature; the provider's own if left out.")]
MaxTokens = Annotated[int | None, typer.Option(help="Longest answer in tokens (200); what is longer is cut short.")]
Structured = Annotated[
    str | None, typer.Option(help="schema: structured output; words: only the prompt says the form.")
]
Thoughts = Annotated[bool, typer.Option("--thoughts", help="Let models think in words first; kept as payloads.")]
Samples = Annotated[int | None, typer.Option(help="Equal views share this many samples; 0 (the default) shares none.")]
Memory = Annotated[int | None, typer.Option(help="Outcomes that an agent with a model remembers (5).")]
Window = Annotated[
    float | None,
    typer.Option(help="Event time: model time in which decisions are asked together (0.25); 0 is exact."),
]
Audit = Annotated[
    int, typer.Option(help="Isolated twins asked after the run about a model's prior; 0 for no prompt audit.")
]
