//! A document as Markdown, for a wiki or an issue. Charts are left out.

use std::fmt::Write;

use undrop_text::printable::{escape_markdown, lines, markdown_code};

use crate::document::{Align, Block, Card, CardValue, Cell, Document, Grid, Section};

impl Document {
    /// Renders the document as Markdown without its charts.
    pub fn to_markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ =
            write!(out, "# {}\n\n**{}**\n", escape_markdown(&self.subject), escape_markdown(&self.headline));
        for part in &self.sections {
            section(&mut out, part);
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(out, "- {}", escape_markdown(note));
        }
        out
    }
}

fn section(out: &mut String, section: &Section) {
    let mut blocks =
        section.blocks.iter().filter(|block| !matches!(block, Block::Chart(_) | Block::Plot(_))).peekable();
    if blocks.peek().is_none() {
        return;
    }
    if !section.title.is_empty() {
        let _ = write!(out, "\n## {}\n", escape_markdown(&section.title));
    }
    for block in blocks {
        out.push('\n');
        match block {
            Block::Text(_, text) => {
                let _ = writeln!(out, "{}", escape_markdown(text));
            }
            Block::Grid(grid) => table(out, grid),
            Block::Card(card) => finding(out, card),
            Block::Chart(_) | Block::Plot(_) => {}
        }
    }
}

fn finding(out: &mut String, card: &Card) {
    let _ = write!(
        out,
        "## {}\n\n{} {}\n",
        escape_markdown(&card.title),
        escape_markdown(&card.severity),
        escape_markdown(&card.meta)
    );
    for entry in &card.entries {
        let _ = write!(out, "\n**{}:**", entry.label);
        match &entry.value {
            CardValue::Text(text) => {
                let _ = writeln!(out, " {}", escape_markdown(text));
            }
            CardValue::Command(command) => {
                let _ = writeln!(out, " {}", markdown_code(command));
            }
            CardValue::Items(items) => {
                out.push_str("\n\n");
                for item in items {
                    let _ = writeln!(out, "- {}", escape_markdown(item));
                }
            }
            CardValue::Code { reason, language, text } => {
                let text = lines(text.trim_matches('\n'));
                let fence = fence(&text);
                let language: String = language.chars().filter(char::is_ascii_alphanumeric).collect();
                let _ = writeln!(out, " {}\n\n{fence}{language}\n{text}\n{fence}", escape_markdown(reason));
            }
        }
    }
}

fn table(out: &mut String, grid: &Grid) {
    let row = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.map(escape_markdown).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    out.push_str(&row(&mut grid.columns.iter().map(|column| column.name.as_str())));
    for column in &grid.columns {
        out.push_str(if column.align == Align::Right { "|---:" } else { "|---" });
    }
    out.push_str("|\n");
    for cells in &grid.rows {
        out.push_str(&row(&mut cells.iter().map(|cell: &Cell| cell.text.as_str())));
    }
}

/// Returns a fence longer than any run of backticks in the text.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}
