//! Header fields in the order and spelling in which they came.

/// A list of header fields. Names compare without regard to case; values are bytes, as received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Creates an empty list of fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// The first value of a field, when it is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of a field, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }

    /// The field is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The elements of a comma-separated list over all fields of that name, trimmed, empty ones left out
    /// (RFC 9110 §5.6.1). Not for values with quoted strings. Values that are not UTF-8 are skipped.
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.get_all(name)
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.split(','))
            .map(|element| element.trim_matches([' ', '\t']))
            .filter(|element| !element.is_empty())
    }

    /// A list field holds this token, without regard to case.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// All values of a field as one list, joined by `, `; `None` when the field is missing or not UTF-8.
    pub fn joined(&self, name: &str) -> Option<String> {
        let mut whole: Option<String> = None;
        for value in self.get_all(name) {
            let value = std::str::from_utf8(value).ok()?;
            match &mut whole {
                Some(list) => {
                    list.push_str(", ");
                    list.push_str(value);
                }
                None => whole = Some(value.to_owned()),
            }
        }
        whole
    }

    /// Sets a field to one value: other fields of that name go.
    pub fn insert(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Adds a field and keeps those of the same name.
    pub fn append(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes every field of that name; `true` when there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the value of a field that may occur only once: `Ok(None)` when missing, `Err` when repeated or not
    /// visible ASCII.
    pub(super) fn single(&self, name: &str) -> Result<Option<&str>, ()> {
        let Some(value) = self.get(name) else { return Ok(None) };
        if self.get_all(name).nth(1).is_some() || !value.iter().all(|b| (0x20..0x7f).contains(b)) {
            return Err(());
        }
        std::str::from_utf8(value).map(Some).map_err(|_| ())
    }
}

impl FromIterator<(String, Vec<u8>)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, Vec<u8>)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
    }
}

/// A token of RFC 9110 §5.6.2: header names, subprotocols.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Writes one field. A name or value that HTTP does not allow is left out, so the caller's data cannot start a
/// separate line.
pub(super) fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !is_token(name) || value.iter().any(|&b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
