//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).

/// One extension with its parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    pub(super) params: Vec<(&'a str, Option<&'a str>)>,
}

/// Reads a list of extensions; `None` when it does not follow the grammar.
pub(super) fn parse(list: &str) -> Option<Vec<Extension<'_>>> {
    let mut extensions = Vec::new();
    for element in list.split(',') {
        if element.trim_matches(SPACE).is_empty() {
            continue;
        }
        let mut parts = element.split(';').map(|part| part.trim_matches(SPACE));
        let name = parts.next().filter(|name| is_token(name))?;
        let params = parts.map(param).collect::<Option<Vec<_>>>()?;
        extensions.push(Extension { name, params });
    }
    Some(extensions)
}

const SPACE: [char; 2] = [' ', '\t'];

fn param(text: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, value)) = text.split_once('=') else {
        return is_token(text).then_some((text, None));
    };
    let (name, value) = (name.trim_matches(SPACE), value.trim_matches(SPACE));
    // A quoted value has to be a token once unquoted, so it holds no separator and no escape worth undoing.
    let value = value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
    (is_token(name) && is_token(value)).then_some((name, Some(value)))
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_parameters() {
        let list = parse("a ; b; c=1 ;d = \"x\" ,, e").unwrap();
        assert_eq!(list[0].name, "a");
        assert_eq!(list[0].params, [("b", None), ("c", Some("1")), ("d", Some("x"))]);
        assert_eq!(list[1], Extension { name: "e", params: Vec::new() });
    }

    #[test]
    fn refuses_what_is_no_token() {
        for list in ["a b", "a; b c", "a;", "a; b=", "a; =b", "a; b=\"", "a; b=\"x", "é", "a; b=\"x\\\"y\""]
        {
            assert_eq!(parse(list), None, "{list}");
        }
    }
}
