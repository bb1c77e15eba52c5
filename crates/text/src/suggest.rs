//! Suggestions for mistyped names.

/// Names with more characters than this get no suggestion: no known name is half as long.
const LONGEST: usize = 64;

/// The shortest input that is also looked for inside the candidates.
const SHORTEST_PART: usize = 3;

/// Returns the candidate that was probably meant by `input`, if one is close enough.
///
/// Case, spaces, `-` and `_` are ignored. A candidate is close when at most a third of the characters of `input` (and at least
/// one) must be inserted, removed, replaced or swapped with a neighbour. A candidate that contains the input is returned if none
/// is a single edit away. Of equally close candidates the first is returned.
///
/// ```
/// use undrop_text::suggest;
///
/// assert_eq!(suggest::nearest("heartbeet", ["ttl", "heartbeat"]), Some("heartbeat"));
/// assert_eq!(suggest::nearest("arrival_rate", ["arrivalRate"]), Some("arrivalRate"));
/// assert_eq!(suggest::nearest("toaster", ["ttl", "heartbeat"]), None);
/// ```
pub fn nearest<'c>(input: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = comparable(input)?;
    let threshold = (wanted.chars().count() / 3).max(1);
    let mut close: Option<(usize, &'c str)> = None;
    let mut containing = None;
    for candidate in candidates {
        let Some(known) = comparable(candidate) else { continue };
        let edits = strsim::osa_distance(&wanted, &known);
        // As many edits as the candidate has characters would turn anything into it.
        let is_close = edits <= threshold && edits < known.chars().count();
        if is_close && close.is_none_or(|(fewest, _)| edits < fewest) {
            close = Some((edits, candidate));
        }
        if containing.is_none() && wanted.len() >= SHORTEST_PART && known.contains(&wanted) {
            containing = Some(candidate);
        }
    }
    let best = close.filter(|(edits, _)| *edits <= 1).map(|(_, candidate)| candidate);
    best.or(containing).or(close.map(|(_, candidate)| candidate))
}

/// Returns `; did you mean …?` to append to an error message, or an empty string if no candidate is close.
pub fn hint<'c>(input: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    nearest(input, candidates).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Returns how similar two texts are, from 0 (no pair of adjacent characters in common) to 1 (equal but for spaces). Unlike
/// [`nearest`] it also ranks whole sentences.
pub fn similarity(one: &str, other: &str) -> f64 {
    strsim::sorensen_dice(one, other)
}

/// The form in which names are compared, or `None` for a name that is empty or too long.
fn comparable(name: &str) -> Option<String> {
    let mut plain = String::new();
    for (at, c) in name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).enumerate() {
        if at == LONGEST {
            return None;
        }
        plain.extend(c.to_lowercase());
    }
    (!plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 9] =
        ["alb", "nlb", "azure-lb", "cloudflare", "nginx-reload", "duration", "arrivalRate", "ramp-to", "max"];

    #[test]
    fn a_typo_finds_its_name() {
        for (input, expected) in [
            ("cloudfare", "cloudflare"),
            ("AZURE_LB", "azure-lb"),
            ("alp", "alb"),
            ("durration", "duration"),
            ("duratoin", "duration"),
            ("arrival_rate", "arrivalRate"),
            ("rampTo", "ramp-to"),
        ] {
            assert_eq!(nearest(input, KNOWN), Some(expected), "{input}");
        }
    }

    #[test]
    fn a_part_of_a_name_finds_it() {
        assert_eq!(nearest("reload", KNOWN), Some("nginx-reload"));
        assert_eq!(nearest("x", KNOWN), None);
    }

    #[test]
    fn nonsense_finds_nothing() {
        for input in ["", "-", "toaster", "weight", "q"] {
            assert_eq!(nearest(input, KNOWN), None, "{input}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), KNOWN), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn the_hint_is_ready_for_a_message() {
        assert_eq!(hint("ngnix", ["nginx"]), "; did you mean `nginx`?");
        assert_eq!(hint("toaster", ["nginx"]), "");
    }

    #[test]
    fn similar_sentences_rank_above_others() {
        let query = "upstream prematurely closed";
        let close = similarity(query, "upstream prematurely closed connection while reading");
        assert!(close > similarity(query, "no live upstreams") && similarity(query, query) == 1.0);
    }

    proptest! {
        #[test]
        fn a_known_name_is_nearest_to_itself(at in 0..KNOWN.len()) {
            prop_assert_eq!(nearest(KNOWN[at], KNOWN), Some(KNOWN[at]));
        }

        #[test]
        fn no_input_panics(input in any::<String>(), candidate in any::<String>()) {
            nearest(&input, [candidate.as_str()]);
        }
    }
}
