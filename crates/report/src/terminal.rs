//! A document as text for a terminal.

mod bars;
mod grid;

use undrop_text::printable;

use crate::document::{Block, Card, CardEntry, CardValue, Document, OpeningOrder, Section, Tone};
use crate::layout::{pad, width, wrap};

/// The form of text for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to write ANSI colours.
    pub colour: bool,
    /// The number of columns to fill; fewer than 40 count as 40.
    pub width: usize,
}

impl Style {
    /// Returns the style for files and pipes: 80 columns without colour.
    pub const fn plain() -> Style {
        Style { colour: false, width: 80 }
    }
}

/// The fewest columns for which documents are laid out.
const NARROWEST: usize = 40;
/// Below this width, a label is on a separate line.
const LABELS_BESIDE: usize = 56;

impl Document {
    /// Renders the document in lines of the given width.
    pub fn to_terminal(&self, style: &Style) -> String {
        let mut screen =
            TextScreen { out: String::new(), colour: style.colour, width: style.width.max(NARROWEST) };
        screen.opening(self);
        for section in &self.sections {
            screen.section(section);
        }
        if !self.notes.is_empty() {
            screen.line("");
        }
        for note in &self.notes {
            screen.item("  · ", "    ", note);
        }
        screen.out
    }
}

/// An attribute of text on a terminal, as an ANSI code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Paint {
    None,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::None => "0",
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Cyan => "36",
        }
    }

    fn of(tone: Tone) -> Paint {
        match tone {
            Tone::Plain => Paint::None,
            Tone::Muted => Paint::Dim,
            Tone::Good => Paint::Green,
            Tone::Note => Paint::Cyan,
            Tone::Warning => Paint::Yellow,
            Tone::Error => Paint::Red,
        }
    }
}

/// Text that grows line by line.
struct TextScreen {
    out: String,
    colour: bool,
    width: usize,
}

impl TextScreen {
    fn opening(&mut self, document: &Document) {
        let paint = Paint::of(document.tone);
        match document.opening {
            OpeningOrder::SubjectFirst => {
                let subject = self.paint(&printable::line(&document.subject), Paint::Bold);
                self.line(&subject);
                self.line("");
                for line in wrap(&printable::lines(&document.headline), self.width) {
                    let line = self.paint(&self.paint(&line, paint), Paint::Bold);
                    self.line(&line);
                }
            }
            OpeningOrder::HeadlineFirst => {
                let headline = self.paint(&printable::line(&document.headline), paint);
                let headline = self.paint(&headline, Paint::Bold);
                self.line(&headline);
                self.paragraph("", &document.subject, Paint::Dim);
            }
        }
    }

    fn section(&mut self, section: &Section) {
        // A terminal shows no plots, so a section of nothing else has no heading either.
        let mut blocks = section.blocks.iter().filter(|block| !matches!(block, Block::Plot(_))).peekable();
        if blocks.peek().is_none() {
            return;
        }
        self.line("");
        if !section.title.is_empty() {
            for line in wrap(&printable::line(&section.title), self.width) {
                let line = self.paint(&line, Paint::Bold);
                self.line(&line);
            }
        }
        for block in blocks {
            match block {
                Block::Text(tone, text) => self.paragraph("  ", text, Paint::of(*tone)),
                Block::Grid(grid) => self.grid(grid),
                Block::Card(card) => self.card(card),
                Block::Chart(chart) => self.chart(chart),
                Block::Plot(_) => {}
            }
        }
    }

    fn card(&mut self, card: &Card) {
        let sign = match card.tone {
            Tone::Error => "✗",
            Tone::Warning => "!",
            _ => "·",
        };
        let severity = self.paint(&format!("{sign} {}", card.severity), Paint::of(card.tone));
        let meta = self.paint(&format!(" {}", printable::line(&card.meta)), Paint::Dim);
        self.line(&format!("{severity}{meta}"));
        self.paragraph("  ", &card.title, Paint::Bold);
        let beside = self.width >= LABELS_BESIDE;
        let longest = card.entries.iter().map(|entry| width(entry.label)).max().unwrap_or_default();
        let indent = if beside { " ".repeat(longest + 4) } else { " ".repeat(4) };
        let mut last = "";
        for entry in &card.entries {
            // Entries of one kind share a label.
            let label = if entry.label == last { "" } else { entry.label };
            last = entry.label;
            self.entry(label, entry, &indent, beside);
        }
    }

    fn entry(&mut self, label: &str, entry: &CardEntry, indent: &str, beside: bool) {
        let painted = self.paint(label, Paint::Dim);
        let mut first = indent.to_owned();
        if beside {
            first = format!("  {painted}{}", " ".repeat(indent.len() - 2 - label.len()));
        } else if !label.is_empty() {
            self.line(&format!("  {painted}"));
        }
        match &entry.value {
            CardValue::Text(text) | CardValue::Command(text) => self.item(&first, indent, text),
            CardValue::Items(items) => {
                for item in items {
                    self.item(&format!("{first}· "), &format!("{indent}  "), item);
                    first = indent.to_owned();
                }
            }
            CardValue::Code { reason, language, text } => {
                self.item(&first, indent, if reason.is_empty() { language } else { reason });
                for line in printable::lines(text.trim_matches('\n')).lines() {
                    let line = self.paint(line, Paint::Green);
                    self.line(&format!("{indent}{line}"));
                }
            }
        }
    }

    /// Writes wrapped text: the first line starts with `first`, the others with `next`, which are equally wide.
    fn item(&mut self, first: &str, next: &str, text: &str) {
        let mut start = first;
        for line in wrap(&printable::lines(text), self.width - width(next)) {
            self.line(&format!("{start}{line}"));
            start = next;
        }
    }

    /// Writes wrapped text, each line indented and painted.
    fn paragraph(&mut self, indent: &str, text: &str, paint: Paint) {
        for line in wrap(&printable::lines(text), self.width - indent.len()) {
            let line = self.paint(&line, paint);
            self.line(&format!("{indent}{line}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn paint(&self, text: &str, paint: Paint) -> String {
        if self.colour && !text.is_empty() && paint != Paint::None {
            format!("\x1b[{}m{text}\x1b[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    fn padded(&self, text: &str, columns: usize, paint: Paint) -> String {
        let padding = pad("", columns.saturating_sub(width(text)));
        format!("{}{padding}", self.paint(text, paint))
    }
}
