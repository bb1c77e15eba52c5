//! Text for terminals: colours, columns and wrapped lines.

use super::number::printable;

pub(super) const BOLD: &str = "1";
pub(super) const DIM: &str = "2";
pub(super) const RED: &str = "31";
pub(super) const GREEN: &str = "32";
pub(super) const YELLOW: &str = "33";

/// Columns that are filled.
pub(super) const WIDTH: usize = 80;
/// Longest text of others that is shown.
const FOREIGN: usize = 120;

/// A page that grows line by line.
pub(super) struct Page {
    out: String,
    colour: bool,
}

impl Page {
    pub(super) fn new(colour: bool) -> Page {
        Page { out: String::new(), colour }
    }

    pub(super) fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A heading, with an empty line before it.
    pub(super) fn heading(&mut self, text: &str) {
        let text = self.paint(text, BOLD);
        self.line("");
        self.line(&text);
    }

    /// Text in lines of [`WIDTH`], all indented.
    pub(super) fn wrapped(&mut self, indent: usize, text: &str, code: &str) {
        for line in wrap(text, WIDTH - indent) {
            let line = format!("{}{}", " ".repeat(indent), self.paint(&line, code));
            self.line(&line);
        }
    }

    /// Columns: the first one to the left, the others to the right.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let mut widths: Vec<usize> = head.iter().map(|text| columns(text)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let first = widths.first().copied().unwrap_or_default();
        let layout = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::from("  ");
            for (at, (cell, width)) in cells.zip(&widths).enumerate() {
                let padding = " ".repeat(width.saturating_sub(columns(cell)));
                if at == 0 {
                    line.push_str(cell);
                    line.push_str(&" ".repeat(first.saturating_sub(columns(cell))));
                } else {
                    line.push_str("   ");
                    line.push_str(&padding);
                    line.push_str(cell);
                }
            }
            line
        };
        if head.iter().any(|text| !text.is_empty()) {
            let line = layout(&mut head.iter().copied());
            let line = self.paint(line.trim_end(), DIM);
            self.line(&line);
        }
        for row in rows {
            let line = layout(&mut row.iter().map(String::as_str));
            self.line(&line);
        }
    }

    pub(super) fn paint(&self, text: &str, code: &str) -> String {
        if self.colour && !text.is_empty() && !code.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// What others sent, short and harmless.
pub(super) fn foreign(text: &str) -> String {
    printable(text, FOREIGN)
}

/// Columns that a text takes. All of ours is narrow; what others send is cut rather than aligned.
fn columns(text: &str) -> usize {
    text.chars().count()
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if !line.is_empty() && columns(line) + 1 + columns(word) > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
