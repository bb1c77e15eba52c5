//! Header fields of the opening handshake that are set or removed.

use undrop_fault::Side;

use super::{FaultAction, Injector};

/// Returns an injector that sets the header field to `set`, or removes it if that is `None`, in the heads that the
/// `sides` send.
pub(crate) fn edit_field(name: &str, set: Option<&str>, sides: [bool; 2]) -> Box<dyn Injector> {
    Box::new(HeadEdit { name: name.to_owned(), set: set.map(str::to_owned), sides })
}

#[derive(Debug)]
struct HeadEdit {
    name: String,
    set: Option<String>,
    sides: [bool; 2],
}

impl Injector for HeadEdit {
    fn on_head(&mut self, from: Side, head: &mut Vec<u8>) -> Option<FaultAction> {
        if !self.sides[from as usize] {
            return None;
        }
        *head = edit(head, &self.name, self.set.as_deref())?;
        Some(FaultAction::Log(match &self.set {
            Some(value) => format!("{}: {value}", self.name),
            None => format!("{} removed", self.name),
        }))
    }
}

/// Returns the head with the field set (in place of the first field of that name, or at the end) or removed. `None` if
/// nothing has to change.
fn edit(head: &[u8], name: &str, set: Option<&str>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(head.len() + name.len() + set.map_or(0, str::len) + 4);
    let mut field = set.map(|value| format!("{name}: {value}\r\n").into_bytes());
    let (mut rest, mut first, mut found) = (head, true, false);
    while let Some(at) = rest.windows(2).position(|end| end == b"\r\n") {
        let (line, after) = rest.split_at(at + 2);
        rest = after;
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
        assert_eq!(text(None, "GET /a"), None, "the first line is not a field");
    }
}
