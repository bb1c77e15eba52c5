//! Handshakes that failed, by path.

use std::collections::HashMap;

/// Paths that are followed, at most; later ones are left out.
const MOST: usize = 512;

/// Statuses that are counted for a path, at most.
const STATUSES: usize = 8;

/// Only so much of a path is kept, bytes.
const LONGEST: usize = 80;

/// What was answered on a path.
#[derive(Debug, Default)]
pub(super) struct Path {
    pub(super) name: String,
    pub(super) opened: u64,
    /// Other answers to handshakes, or to what seem to be such.
    pub(super) refused: Vec<(u16, u64)>,
    /// Requests said themselves that they wanted a WebSocket.
    pub(super) certain: bool,
}

/// Paths on which WebSockets were opened or asked for.
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

    /// An answer other than 101. It counts where WebSockets are opened, asked for, or refused on a path that sounds like them.
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

    /// With some refusals, the most first.
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
    /// All refusals.
    pub(super) fn count(&self) -> u64 {
        self.refused.iter().map(|(_, count)| count).sum()
    }
}

/// The path sounds like one of WebSockets.
fn sounds_like(path: &[u8]) -> bool {
    let has = |word: &[u8]| memchr::memmem::find(path, word).is_some();
    path.split(|byte| *byte == b'/').any(|part| matches!(part, b"ws" | b"wss" | b"cable" | b"live" | b"hub"))
        || has(b"socket")
        || has(b"/ws-")
        || has(b"/signalr")
}

/// FNV-1a, eight bytes at a time: fast, and nothing depends on it but a table.
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
        let told: Vec<_> =
            found.iter().map(|path| (path.name.as_str(), path.opened, path.count(), path.certain)).collect();
        assert_eq!(told, [("/chat", 1, 3, false), ("/up", 0, 1, true), ("/x/ws", 0, 1, false)]);
        assert_eq!(found[0].refused, [(502, 2), (200, 1)]);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut paths = Paths::default();
        (0..100_000u32).for_each(|i| paths.opened(&i.to_le_bytes()));
        assert_eq!(paths.known.len(), MOST);
    }
}
