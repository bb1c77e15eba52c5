//! The opening handshake: header fields set or removed, extensions stripped, and answers by the proxy itself.

use undrop_fault::Side;
use undrop_frame::handshake::response_plain;

use super::{Act, Concern};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

pub(super) fn header(name: &str, set: Option<&str>, request: bool) -> Box<dyn Concern> {
    Box::new(Header { name: name.into(), set: set.map(Into::into), ways: [request, !request] })
}

pub(super) fn strip_extensions(ways: [bool; 2]) -> Box<dyn Concern> {
    Box::new(Header { name: EXTENSIONS.into(), set: None, ways })
}

pub(super) fn status(status: u16, headers: &[(String, String)], body: &str) -> Box<dyn Concern> {
    let fields: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    Box::new(Status { response: response_plain(status, &fields, body), status })
}

#[derive(Debug)]
struct Header {
    name: String,
    set: Option<String>,
    ways: [bool; 2],
}

impl Concern for Header {
    fn head(&mut self, from: Side, head: &mut Vec<u8>) -> Option<Act> {
        if !self.ways[from as usize] {
            return None;
        }
        let changed = edit(head, &self.name, self.set.as_deref())?;
        *head = changed;
        Some(Act::Tell(match &self.set {
            Some(value) => format!("{}: {value}", self.name),
            None => format!("{} removed", self.name),
        }))
    }
}

#[derive(Debug)]
struct Status {
    response: Vec<u8>,
    status: u16,
}

impl Concern for Status {
    fn head(&mut self, from: Side, _head: &mut Vec<u8>) -> Option<Act> {
        tracing::trace!(status = self.status, "answers itself");
        (from == Side::A).then(|| Act::Answer(self.response.clone()))
    }
}

/// The head with the field set (in the place of the first that had the name, or at the end) or removed. `None`: there
/// is nothing to change.
fn edit(head: &[u8], name: &str, set: Option<&str>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(head.len() + name.len() + set.map_or(0, str::len) + 4);
    let mut field = set.map(|value| format!("{name}: {value}\r\n").into_bytes());
    let (mut rest, mut first, mut found) = (head, true, false);
    while let Some(at) = rest.windows(2).position(|end| end == b"\r\n") {
        let (line, behind) = rest.split_at(at + 2);
        rest = behind;
        if at == 0 {
            // The empty line that ends the head.
            found |= field.is_some();
            out.extend(field.take().into_iter().flatten());
            out.extend_from_slice(line);
            break;
        }
        let named = line.iter().position(|byte| *byte == b':').and_then(|colon| line.get(..colon));
        if !first && named.is_some_and(|named| named.eq_ignore_ascii_case(name.as_bytes())) {
            found = true;
            out.extend(field.take().into_iter().flatten());
        } else {
            out.extend_from_slice(line);
        }
        first = false;
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::edit;

    const HEAD: &[u8] = b"GET /a:b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nupgrade: again\r\n\r\n";

    #[test]
    fn fields_are_set_removed_and_added() {
        let text = |set: Option<&str>, name| {
            edit(HEAD, name, set).map(|head| String::from_utf8(head).unwrap_or_default())
        };
        assert_eq!(text(None, "UPGRADE").as_deref(), Some("GET /a:b HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(
            text(Some("h2c"), "Upgrade").as_deref(),
            Some("GET /a:b HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n")
        );
        assert_eq!(
            text(Some("1"), "X-New").as_deref(),
            Some("GET /a:b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nupgrade: again\r\nX-New: 1\r\n\r\n")
        );
        assert_eq!(text(None, "X-New"), None);
        assert_eq!(text(None, "GET /a"), None, "the first line is no field");
    }
}
