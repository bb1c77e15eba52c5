//! The text for people in files that are neither Rust nor prose: their comments and strings, without their code.

/// The part of each line that is a comment or inside of quotes. Other code is left out; a quoted text ends at the end of its
/// line, except for one in triple quotes.
pub fn of_script(file: &str, text: &str) -> Vec<String> {
    let slashes = [".js", ".mjs", ".ts", ".css", ".json"].iter().any(|end| file.ends_with(end));
    let marker = if slashes { "//" } else { "#" };
    let mut triple = None;
    text.lines().map(|line| of_line(line, marker, &mut triple)).collect()
}

fn of_line(line: &str, marker: &str, triple: &mut Option<&'static str>) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        if let Some(end) = *triple {
            let (inside, after) =
                rest.split_once(end).map_or((rest, None), |(inside, after)| (inside, Some(after)));
            push(&mut out, inside);
            if after.is_some() {
                *triple = None;
            }
            rest = after.unwrap_or_default();
        } else if let Some(start) = ["\"\"\"", "'''"].into_iter().find(|start| rest.starts_with(start)) {
            *triple = Some(start);
            rest = &rest[start.len()..];
        } else if rest.starts_with(marker) && (rest.len() == line.len() || out_of_word(line, rest)) {
            push(&mut out, rest.trim_start_matches(marker));
            rest = "";
        } else if rest.starts_with(['"', '\'', '`']) {
            let quote = &rest[..1];
            let inside = rest[1..].split_once(quote);
            let (inside, after) = inside.unwrap_or((&rest[1..], ""));
            push(&mut out, inside);
            // Separates the text from the next line, which is another text.
            out.push_str(" |");
            rest = after;
        } else {
            rest = &rest[rest.chars().next().map_or(1, char::len_utf8)..];
        }
    }
    out
}

/// Whether a comment can start here: `$#` and `a#b` are not comments.
fn out_of_word(line: &str, rest: &str) -> bool {
    line[..line.len() - rest.len()].ends_with([' ', '\t'])
}

fn push(out: &mut String, text: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(text.trim());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_left_out_and_comments_and_strings_are_kept() {
        assert_eq!(of_script("a.py", "if a is None: say(\"x y\")  # why\n"), ["x y | why"]);
        assert_eq!(of_script("run", "# usage\nfor a in $#; do echo 'b'; done\n"), ["usage", "b |"]);
        assert_eq!(of_script("a.mjs", "const a = `b`; // why\n"), ["b | why"]);
    }

    #[test]
    fn a_text_in_triple_quotes_goes_over_lines() {
        assert_eq!(of_script("a.py", "\"\"\"One\ntwo.\"\"\"\nimport a\n"), ["One", "two.", ""]);
    }
}
