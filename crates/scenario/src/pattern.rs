//! Regular expressions, of bounded size and linear time.

use regex_lite::{Regex, RegexBuilder};

use crate::check::RegexGroup;
use crate::yaml::node::{MapEntry, Place};
use crate::yaml::reader::{Reader, Result};

/// The maximum size of a compiled expression in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Compiles an expression with flags as in JavaScript. Look-around and back-references are not supported.
pub(crate) fn compile(reader: &Reader, text: &str, flags: &str, place: Place) -> Result<Regex> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(MAX_COMPILED).nest_limit(50);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            // Only the first match is used, and texts are always Unicode.
            'g' | 'u' | 'd' | 'v' => &mut builder,
            _ => {
                return Err(
                    reader.error(place, format!("the flag `{flag}` of `flags: {flags}` is not supported"))
                );
            }
        };
    }
    builder.build().map_err(|why| {
        let why = why.to_string();
        let message = format!("`{text}` is not a regular expression that works here: {why}");
        if text.contains("(?=") || text.contains("(?!") || text.contains("(?<=") || text.contains("(?<!") {
            return reader.error_with_help(place, message, "look-ahead and look-behind are not supported");
        }
        reader.error(place, message)
    })
}

/// Reads the number or name of a group, which the expression must have.
pub(crate) fn group(reader: &Reader, entry: Option<&MapEntry>, regex: &Regex) -> Result<RegexGroup> {
    let Some(entry) = entry else { return Ok(RegexGroup::All) };
    let text = reader.text(entry)?;
    let group = match text.parse() {
        Ok(number) => RegexGroup::Number(number),
        Err(_) => RegexGroup::Name(text.clone()),
    };
    let there = match &group {
        RegexGroup::Number(number) => *number < regex.captures_len(),
        RegexGroup::Name(name) => regex.capture_names().flatten().any(|known| known == name),
        RegexGroup::All => true,
    };
    if there {
        return Ok(group);
    }
    Err(reader.error(entry.value.place, format!("/{regex}/ has no group `{text}`")))
}
