//! The reference page of the faults of `undrop chaos`, from their declarations.

use std::fmt::Write;

use undrop_chaos::{FaultDeclaration, ParameterInfo, Presence, fault_kinds};

/// Returns the page: a table of all kinds, then a section per kind with its parameters and examples.
pub(super) fn page() -> String {
    let mut out = "# Faults\n\n".to_owned();
    out.push_str(
        "The kinds of faults that [the chaos proxy](../chaos.md) injects, with their parameters. Every fault also has the\n\
         parameters `direction` (`up`, `down` or `both`, the default) and `share` (the affected fraction of the connections,\n\
         from 0 to 1, the default).\n\n\
         | kind | effect |\n|---|---|\n",
    );
    for (declaration, _) in fault_kinds() {
        let FaultDeclaration { kind, summary, .. } = declaration;
        let _ = writeln!(out, "| [`{kind}`](#{kind}) | {summary} |");
    }
    for (declaration, parameters) in fault_kinds() {
        section(&mut out, declaration, &parameters);
    }
    out
}

fn section(out: &mut String, declaration: &FaultDeclaration, parameters: &[ParameterInfo]) {
    let _ = write!(out, "\n## `{}`\n\n{}\n", declaration.kind, declaration.description);
    if !parameters.is_empty() {
        out.push_str("\n| parameter | value | default |\n|---|---|---|\n");
    }
    for ParameterInfo { key, value, presence, .. } in parameters {
        let presence = match presence {
            Presence::Required => "required",
            Presence::OneOf => "exactly one of these is required",
            Presence::Default(default) => default,
        };
        let _ = writeln!(out, "| `{key}` | {value} | {presence} |");
    }
    out.push_str("\n```text\n");
    for example in declaration.examples {
        let _ = writeln!(out, "{example}");
    }
    out.push_str("```\n");
}
