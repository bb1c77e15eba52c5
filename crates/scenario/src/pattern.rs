//! Regular expressions, of bounded size and linear time.

use regex_lite::{Regex, RegexBuilder};

use crate::check::RegexGroup;
use crate::yaml::node::{MapEntry, Place};
use crate::yaml::reader::{Reader, Result};

/// Most bytes that one compiled expression may take.
const MAX_COMPILED: usize = 1 << 20;

/// Compiles an expression with JavaScript's flags. Look-around and back-references do not exist here.
pub(crate) fn compile(reader: &Reader, text: &str, flags: &str, place: Place) -> Result<Regex> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(MAX_COMPILED).nest_limit(50);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            // Only the first find counts, and texts are Unicode anyway.
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

/// A group by number or name, which the expression must have.
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
