//! Reads lines from a stream without an allocation per line.

use std::io::{self, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use memchr::memchr;

/// The size of the buffer in bytes; a longer line is skipped.
pub(super) const LONGEST: usize = 512 * 1024;

/// A line without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// The line is longer than [`LONGEST`] bytes.
    TooLong,
}

/// The lines of a log.
pub(super) struct Lines<R: Read> {
    input: Input<R>,
    buffer: Vec<u8>,
    /// The part of the buffer that was not returned yet.
    from: usize,
    until: usize,
    ended: bool,
    /// Whether the rest of a line that is too long is being skipped.
    skipping: bool,
    error: Option<io::Error>,
}

enum Input<R: Read> {
    Plain(R),
    /// The decoder is boxed because it is large; several members in one file form one stream.
    Gzip(Box<MultiGzDecoder<io::Chain<io::Cursor<Vec<u8>>, R>>>),
}

impl<R: Read> Lines<R> {
    /// Opens a log and detects whether it is compressed.
    pub(super) fn open(mut input: R) -> io::Result<Lines<R>> {
        let mut buffer = vec![0; LONGEST];
        let mut until = 0;
        while until < 2 {
            match input.read(&mut buffer[until..]) {
                Ok(0) => break,
                Ok(count) => until += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut lines = if buffer[..until].starts_with(&[0x1f, 0x8b]) {
            let start = io::Cursor::new(buffer[..until].to_vec());
            let input = Input::Gzip(Box::new(MultiGzDecoder::new(start.chain(input))));
            Lines { input, buffer, from: 0, until: 0, ended: false, skipping: false, error: None }
        } else {
            Lines {
                input: Input::Plain(input),
                buffer,
                from: 0,
                until,
                ended: false,
                skipping: false,
                error: None,
            }
        };
        lines.fill();
        Ok(lines)
    }

    /// Returns the complete lines in the buffer.
    pub(super) fn sample(&self, most: usize) -> Vec<&[u8]> {
        let text = &self.buffer[self.from..self.until];
        let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').take(most + 1).map(trimmed).collect();
        // The last line may be incomplete.
        if lines.len() > 1 && !(self.ended && lines.len() <= most) {
            lines.pop();
        }
        lines.truncate(most);
        lines
    }

    /// Returns the next line.
    pub(super) fn next(&mut self) -> Option<Line<'_>> {
        loop {
            if let Some(length) = memchr(b'\n', &self.buffer[self.from..self.until]) {
                let from = self.from;
                self.from += length + 1;
                if std::mem::take(&mut self.skipping) {
                    return Some(Line::TooLong);
                }
                return Some(Line::Whole(trimmed(&self.buffer[from..from + length])));
            }
            if self.ended {
                let from = std::mem::replace(&mut self.from, self.until);
                if std::mem::take(&mut self.skipping) {
                    return Some(Line::TooLong);
                }
                return (from < self.until).then(|| Line::Whole(trimmed(&self.buffer[from..self.until])));
            }
            if self.from == 0 && self.until == self.buffer.len() {
                self.skipping = true;
                self.until = 0;
            }
            self.fill();
        }
    }

    /// Returns the error that ended the log, if there was one.
    pub(super) fn error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Reads until the buffer is full or the log ends, so that lines are rarely split.
    fn fill(&mut self) {
        self.buffer.copy_within(self.from..self.until, 0);
        (self.from, self.until) = (0, self.until - self.from);
        while self.until < self.buffer.len() && !self.ended {
            let room = &mut self.buffer[self.until..];
            let read = match &mut self.input {
                Input::Plain(input) => input.read(room),
                Input::Gzip(input) => input.read(room),
            };
            match read {
                Ok(0) => self.ended = true,
                Ok(count) => self.until += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => (self.ended, self.error) = (true, Some(error)),
            }
        }
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn all(input: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::open(input).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            found.push(match line {
                Line::Whole(text) => Some(text.to_vec()),
                Line::TooLong => None,
            });
        }
        found
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn lines_with_every_end() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(all(b"a\nb\r\n\nc"), [some("a"), some("b"), some(""), some("c")]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"a\n"), [some("a")]);
        assert_eq!(all(&[0x1f]), [Some(vec![0x1f])]);
    }

    #[test]
    fn lines_over_the_edge_of_the_buffer_are_whole() {
        let text: String = (0..200_000).map(|i| format!("line {i}\n")).collect();
        let wanted: Vec<_> = text.lines().map(|line| Some(line.as_bytes().to_vec())).collect();
        assert_eq!(all(text.as_bytes()), wanted);
        let twice = [gzip(text.as_bytes()), gzip(b"and more\n")].concat();
        let found = all(&twice);
        assert_eq!((found.len(), found.last().unwrap()), (200_001, &Some(b"and more".to_vec())));
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line() {
        let text = [b"a\n".as_slice(), &vec![b'x'; 3 * LONGEST], b"\nb\n"].concat();
        assert_eq!(all(&text), [Some(b"a".to_vec()), None, Some(b"b".to_vec())]);
    }

    #[test]
    fn a_damaged_gzip_gives_what_was_whole() {
        let text: String = (0..100_000).map(|i| format!("{}\n", i * 7919)).collect();
        let packed = gzip(text.as_bytes());
        let mut lines = Lines::open(&packed[..packed.len() / 2]).unwrap();
        let mut count = 0;
        while lines.next().is_some() {
            count += 1;
        }
        assert!(count > 1000 && lines.error().is_some());
    }
}
