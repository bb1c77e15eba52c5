//! Explanations as text for a terminal.

use undrop_explain::Explanation;
use undrop_report::Style;
use undrop_report::layout::{width, wrap};
use undrop_text::printable;

/// Returns the style for standard output as it is.
pub(super) fn style() -> Style {
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100);
    Style { colour: super::colour(), width: usize::clamp(width, 40, 120) }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";

/// The width of the labels in columns.
const LABEL: usize = 10;

/// Renders explanations one after the other.
pub(super) fn pages(found: &[Explanation], style: &Style) -> String {
    let mut page = Page { out: String::new(), style: *style };
    for (i, one) in found.iter().enumerate() {
        if i > 0 {
            page.out.push('\n');
        }
        page.write(one);
    }
    page.out
}

struct Page {
    out: String,
    style: Style,
}

impl Page {
    fn write(&mut self, one: &Explanation) {
        let title = self.paint(&printable::line(&one.title), BOLD);
        let family = self.paint(&format!(" · {}", one.family), DIM);
        self.line(&format!("{title}{family}"));
        self.block("  ", "  ", &one.meaning);
        if one.sender.is_some() || one.retry.is_some() || !one.seen.is_empty() || !one.parts.is_empty() {
            self.line("");
        }
        self.labelled("sent by", one.sender.as_slice());
        self.labelled("retry", one.retry.as_slice());
        self.labelled("seen as", &one.seen);
        for (name, said) in &one.parts {
            self.block("  ", "      ", &format!("{name}: {said}"));
        }
        self.section("Likely causes, and how to distinguish them");
        for cause in &one.causes {
            self.block("  · ", "    ", &cause.what);
            let from = self.out.len();
            self.block("      ", "      ", &cause.tell);
            let tell = self.out.split_off(from);
            let tell = tell.lines().map(|line| self.paint(line, DIM)).collect::<Vec<_>>();
            tell.iter().for_each(|line| self.line(line));
        }
        self.section("What to do");
        for fix in &one.fix {
            self.block("  · ", "    ", fix);
        }
        if let Some(example) = &one.example {
            self.line("");
            for line in example.text.trim_matches('\n').lines() {
                let line = self.paint(line, GREEN);
                self.line(&format!("      {line}"));
            }
        }
        if !one.see.is_empty() {
            let see: Vec<String> = one.see.iter().map(|id| format!("undrop explain {id}")).collect();
            self.line("");
            self.block("  See also: ", "    ", &see.join(" · "));
        }
    }

    fn section(&mut self, title: &str) {
        self.line("");
        let title = self.paint(title, BOLD);
        self.line(&format!("  {title}"));
    }

    fn labelled(&mut self, label: &str, texts: &[String]) {
        let mut label = label;
        for text in texts {
            let start = format!("  {label}{}", " ".repeat(LABEL - label.len()));
            self.block(&start, &" ".repeat(LABEL + 2), text);
            label = "";
        }
    }

    /// Writes wrapped text: the first line starts with `first`, the others with `next`.
    fn block(&mut self, first: &str, next: &str, text: &str) {
        let mut start = first;
        let indent = width(first).max(width(next));
        for line in wrap(&printable::line(text), self.style.width.saturating_sub(indent)) {
            self.line(&format!("{start}{line}"));
            start = next;
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.style.colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
