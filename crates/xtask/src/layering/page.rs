//! The table of permitted imports in ARCHITECTURE.md, which repeats the one in `layering.rs` for readers.

use std::collections::BTreeSet;

use crate::Problem;

const PAGE: &str = "ARCHITECTURE.md";

/// A row of the page: its line, the package without `undrop-`, and the packages in its second cell.
struct Row<'a> {
    line: usize,
    package: &'a str,
    imports: BTreeSet<&'a str>,
}

/// Compares the page with the table: for each package its name and what it may import, in the order of the page's rows.
pub(super) fn check(text: &str, table: &[(&str, &[&str])]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let rows = rows(text);
    for (package, imports) in table {
        let Some(row) = rows.iter().find(|row| row.package == short(package)) else {
            problems
                .push(Problem::new(PAGE, format!("its table of permitted imports has no row for {package}")));
            continue;
        };
        let wanted: BTreeSet<&str> = imports.iter().map(|import| short(import)).collect();
        let differences = wanted.symmetric_difference(&row.imports).copied().collect::<Vec<_>>().join(", ");
        if !differences.is_empty() {
            let message = format!(
                "the row of {} differs from crates/xtask/src/layering.rs in: {differences}",
                row.package
            );
            problems.push(Problem::at(PAGE, row.line, message));
        }
    }
    for row in rows.iter().filter(|row| !table.iter().any(|(package, _)| short(package) == row.package)) {
        problems.push(Problem::at(PAGE, row.line, format!("there is no package {}", row.package)));
    }
    problems
}

/// The name of a package as the page writes it.
fn short(package: &str) -> &str {
    match package {
        "undrop" => "cli",
        other => other.strip_prefix("undrop-").unwrap_or(other),
    }
}

/// The rows of the table with the heading "may import".
fn rows(text: &str) -> Vec<Row<'_>> {
    let lines = text.lines().enumerate().skip_while(|(_, line)| !line.contains("| may import |")).skip(2);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (index, line) in lines.take_while(|(_, line)| line.starts_with('|')) {
        let mut cells = line.split('|').skip(1);
        let package = cells.next().and_then(|cell| names(cell).next()).unwrap_or_default();
        // An explanation follows in parentheses or after a semicolon.
        let cell = cells.next().unwrap_or_default().split(['(', ';']).next().unwrap_or_default();
        let named: BTreeSet<&str> = names(cell).collect();
        let imports = if cell.contains("all of the above but") {
            rows.iter().map(|row| row.package).filter(|package| !named.contains(package)).collect()
        } else {
            named
        };
        rows.push(Row { line: index + 1, package, imports });
    }
    rows
}

/// The texts in backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\n| package | may import | kind |\n|---|---|---|\n| `frame` | – | pure |\n\
                        | `session` | `frame` (vocabulary: `Message`) | pure |\n| `cli` | all of the above but `frame` | program |\n\nEnd.\n";

    #[test]
    fn equal_tables_have_no_problem() {
        let table: &[(&str, &[&str])] =
            &[("undrop-frame", &[]), ("undrop-session", &["undrop-frame"]), ("undrop", &["undrop-session"])];
        assert_eq!(check(TEXT, table), []);
    }

    #[test]
    fn differences_and_missing_rows_are_named() {
        let table: &[(&str, &[&str])] = &[
            ("undrop-frame", &["undrop-text"]),
            ("undrop-session", &["undrop-frame"]),
            ("undrop-store", &[]),
        ];
        let found: Vec<String> = check(TEXT, table).iter().map(Problem::to_string).collect();
        assert_eq!(
            found,
            [
                "ARCHITECTURE.md:5: the row of frame differs from crates/xtask/src/layering.rs in: text",
                "ARCHITECTURE.md: its table of permitted imports has no row for undrop-store",
                "ARCHITECTURE.md:7: there is no package cli",
            ]
        );
    }
}
