//! Finds WebSocket sessions in access logs, and the causes of their ends.
//! [`Survey::read`] reads a log of any size as a stream and keeps histograms of bounded size (less than 64 MiB in total).
//! [`Survey::conclude`] is a pure function of the histograms.
//!
//! ```
//! use undrop_explain::log::Survey;
//!
//! let line = "10.0.0.1 - - [01/May/2026:12:00:00 +0000] \"GET /ws HTTP/1.1\" 101 0 \"-\" \"x\" 60.001\n";
//! let mut survey = Survey::new(None)?;
//! survey.read("access.log", line.repeat(100).as_bytes())?;
//! let report = survey.conclude();
//! assert_eq!(report.findings[0].id, "idle-cut");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ages;
mod clusters;
mod findings;
mod format;
mod group;
mod json;
mod known;
mod moments;
mod number;
mod paths;
mod reader;
mod report;
mod slots;
mod template;

use std::io::{self, Read};

use undrop_report::Report;
use undrop_text::printable;

pub use template::FormatError;

use format::Format;
use group::Group;
use reader::{Line, Lines};

/// The maximum number of lines by which a format is detected.
const SAMPLE: usize = 2000;

/// The maximum number of different formats. A file in a further format is reported and skipped.
const GROUPS: usize = 8;

/// The maximum number of unreadable lines that are shown.
const EXAMPLES: usize = 3;

/// The evaluation of one or several logs.
#[derive(Debug)]
pub struct Survey {
    given: Option<Format>,
    groups: Vec<Group>,
    files: Vec<Source>,
    unread: Vec<String>,
    /// The number of pages that histograms may still allocate.
    budget: usize,
}

/// A log file and its counters.
#[derive(Debug, Default)]
struct Source {
    name: String,
    /// The name of the format; `None` if it was not recognised.
    format: Option<String>,
    lines: u64,
    sessions: u64,
    unread: u64,
    /// The reason why reading ended early.
    broken: Option<String>,
}

impl Survey {
    /// Creates a survey without logs.
    /// `format` is the format of all logs as in the configuration of the product (nginx `log_format`, Apache `LogFormat`, HAProxy
    /// `log-format`, Envoy `text_format`). Without it, the format of each log is detected.
    ///
    /// # Errors
    /// The format cannot be used; the error says why.
    pub fn new(format: Option<&str>) -> Result<Survey, FormatError> {
        let given = format.map(Format::given).transpose()?;
        Ok(Survey { given, groups: Vec::new(), files: Vec::new(), unread: Vec::new(), budget: ages::PAGES })
    }

    /// Reads a log to its end, plain or gzip.
    ///
    /// # Errors
    /// Reading failed at the start. If reading fails later, such as in a damaged gzip file, the part before counts and the report notes it.
    pub fn read(&mut self, name: &str, input: impl Read) -> io::Result<()> {
        let mut lines = Lines::open(input)?;
        let mut source = Source { name: name.to_owned(), ..Source::default() };
        let format = match &self.given {
            Some(format) => Some(format.clone()),
            None => Format::detect(&lines.sample(SAMPLE)),
        };
        if let Some(format) = format {
            source.format = Some(format.label.clone());
            match self.group(&format) {
                Some(at) => self.follow(at, &format, &mut lines, &mut source),
                None => {
                    source.broken =
                        Some(format!("is in a further format; at most {GROUPS} formats are supported"))
                }
            }
        } else {
            // The lines are counted, so that the report can state how many were not understood.
            while let Some(line) = lines.next() {
                source.lines += 1;
                self.not_understood(&mut source, line);
            }
        }
        if let Some(error) = lines.error() {
            if source.lines == 0 {
                return Err(error);
            }
            source.broken = Some(format!("cannot be read after line {}: {error}", source.lines));
        }
        self.files.push(source);
        Ok(())
    }

    /// Returns whether the format of any log was recognised.
    pub fn recognised(&self) -> bool {
        self.files.iter().any(|file| file.format.is_some() && (file.lines == 0 || file.unread < file.lines))
    }

    /// Returns the report with the findings and a histogram of the ages.
    pub fn conclude(self) -> Report {
        report::report(self)
    }

    fn group(&mut self, format: &Format) -> Option<usize> {
        let known = self.groups.iter().position(|group| group.label == format.label);
        known.or_else(|| {
            (self.groups.len() < GROUPS).then(|| {
                self.groups.push(Group::new(format));
                self.groups.len() - 1
            })
        })
    }

    fn follow(&mut self, at: usize, format: &Format, lines: &mut Lines<impl Read>, source: &mut Source) {
        while let Some(line) = lines.next() {
            source.lines += 1;
            let slots = match line {
                Line::Whole([]) => continue,
                Line::Whole(text) => format.take(text),
                Line::TooLong => None,
            };
            let status = slots.as_ref().map(|slots| if format.tcp { Some(101) } else { slots.status() });
            let (Some(slots), Some(Some(status)), Some(group)) = (slots, status, self.groups.get_mut(at))
            else {
                self.not_understood(source, line);
                continue;
            };
            if status == 101 {
                source.sessions += 1;
                group.session(format, &slots, &mut self.budget);
            } else {
                group.refused(&slots, status);
            }
        }
    }

    fn not_understood(&mut self, source: &mut Source, line: Line<'_>) {
        source.unread += 1;
        if self.unread.len() < EXAMPLES {
            let text = match line {
                Line::Whole(text) => {
                    let start = String::from_utf8_lossy(text.get(..120).unwrap_or(text));
                    printable::truncated(&start, 80)
                }
                Line::TooLong => format!("a line of more than {} KiB", reader::LONGEST / 1024),
            };
            self.unread.push(format!("{}:{}: {text}", source.name, source.lines));
        }
    }
}

#[cfg(test)]
mod tests;
