//! Counts failed handshakes by path.

use std::collections::HashMap;

/// The maximum number of paths; later ones are ignored.
const MOST: usize = 512;

/// The maximum number of statuses that are counted for a path.
const STATUSES: usize = 8;

/// The number of bytes that are kept of a path.
const LONGEST: usize = 80;

/// The responses on a path.
#[derive(Debug, Default)]
pub(super) struct Path {
    pub(super) name: String,
    pub(super) opened: u64,
    /// The other responses to handshakes, or to requests that seem to be handshakes.
    pub(super) refused: Vec<(u16, u64)>,
    /// Whether the log shows that requests asked for a WebSocket.
    pub(super) certain: bool,
}

/// The paths on which WebSockets were opened or requested.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: HashMap<u64, Path>,
}

impl Paths {
    pub(super) fn opened(&mut self, path: &[u8]) {
        if let Some(known) = self.path(path, true) {
            known.opened += 1;
        }
    }

    /// Counts a response other than 101 if WebSockets are opened or requested on the path, or if the path suggests them.
    pub(super) fn refused(&mut self, path: &[u8], status: u16, asked: bool) {
        let sounds = status >= 400 && sounds_like(path);
        if self.known.is_empty() && !asked && !sounds {
            return;
        }
        let Some(known) = self.path(path, asked || sounds) else { return };
        known.certain |= asked;
        if let Some((_, count)) = known.refused.iter_mut().find(|(one, _)| *one == status) {
            *count += 1;
        } else if known.refused.len() < STATUSES {
            known.refused.push((status, 1));
        }
    }

    /// Returns the paths with refusals, those with the most first.
    pub(super) fn with_refusals(self) -> Vec<Path> {
        let mut paths: Vec<Path> = self.known.into_values().filter(|path| !path.refused.is_empty()).collect();
        for path in &mut paths {
            path.refused.sort_by_key(|(status, count)| (std::cmp::Reverse(*count), *status));
        }
        paths.sort_by(|a, b| b.count().cmp(&a.count()).then_with(|| a.name.cmp(&b.name)));
        paths
    }

    fn path(&mut self, path: &[u8], new: bool) -> Option<&mut Path> {
        let key = hash(path);
        if !self.known.contains_key(&key) {
            if !new || self.known.len() >= MOST {
                return None;
            }
            let name = String::from_utf8_lossy(&path[..path.len().min(LONGEST)]).into_owned();
            self.known.insert(key, Path { name, ..Path::default() });
        }
        self.known.get_mut(&key)
    }
}

impl Path {
    /// Returns the number of all refusals.
    pub(super) fn count(&self) -> u64 {
        self.refused.iter().map(|(_, count)| count).sum()
    }
}

/// Returns whether the path suggests a WebSocket.
fn sounds_like(path: &[u8]) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(path, word).is_some();
    path.split(|byte| *byte == b'/').any(|part| matches!(part, b"ws" | b"wss" | b"cable" | b"live" | b"hub"))
        || has(b"socket")
        || has(b"/ws-")
        || has(b"/signalr")
}

/// FNV-1a over eight bytes at a time: fast, and only a hash table depends on it.
fn hash(bytes: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325u64 ^ bytes.len() as u64;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_count_where_websockets_are() {
        let mut paths = Paths::default();
        paths.refused(b"/index.html", 404, false);
        paths.refused(b"/x/ws", 400, false);
        paths.opened(b"/chat");
        paths.refused(b"/chat", 502, false);
        paths.refused(b"/chat", 502, false);
        paths.refused(b"/chat", 200, false);
        paths.refused(b"/style.css", 200, false);
        paths.refused(b"/up", 403, true);
        let found = paths.with_refusals();
        let text: Vec<_> =
            found.iter().map(|path| (path.name.as_str(), path.opened, path.count(), path.certain)).collect();
        assert_eq!(text, [("/chat", 1, 3, false), ("/up", 0, 1, true), ("/x/ws", 0, 1, false)]);
        assert_eq!(found[0].refused, [(502, 2), (200, 1)]);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut paths = Paths::default();
        (0..100_000u32).for_each(|i| paths.opened(&i.to_le_bytes()));
        assert_eq!(paths.known.len(), MOST);
    }
}
