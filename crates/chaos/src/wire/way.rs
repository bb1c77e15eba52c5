//! One direction of a connection: what is on its way from an end into the pair.

use std::collections::VecDeque;
use std::time::Instant;

use undrop_fault::Side;
use undrop_frame::{Header, OpCode, mask};

use super::reading::Reading;
use super::told::Told;
use crate::interpose::Act;

/// One direction: what its sending end sent and the pair has not taken yet.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) reading: Reading,
    pub(super) queue: VecDeque<Queued>,
    /// Bytes given to the queue and, of these, to the pair.
    pub(super) queued: u64,
    /// Nothing more of what the end sends passes.
    pub(super) mute: bool,
    /// A Close frame that waits for the end of a frame, and until when.
    pub(super) goodbye: Option<(Vec<u8>, Instant)>,
    /// The present frame was reported as dropped or changed.
    pub(super) told: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Queued {
    Bytes(Vec<u8>, usize),
    Fin,
    /// A fault that comes right behind these bytes: which, and what it does.
    Act(Box<(Told, Act)>),
}

impl Way {
    pub(super) fn new(from: Side) -> Way {
        Way {
            reading: Reading::new(from),
            queue: VecDeque::new(),
            queued: 0,
            mute: false,
            goodbye: None,
            told: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.queued += bytes.len() as u64;
        match self.queue.back_mut() {
            Some(Queued::Bytes(last, _)) => last.extend_from_slice(bytes),
            _ => self.queue.push_back(Queued::Bytes(bytes.to_vec(), 0)),
        }
    }

    /// The stream ends in order behind what waits.
    pub(super) fn close(&mut self) {
        if !self.mute {
            self.mute = true;
            self.queue.push_back(Queued::Fin);
        }
    }

    /// Nothing passes any more, and what waits is lost.
    pub(super) fn silence(&mut self) {
        self.mute = true;
        self.goodbye = None;
        self.queue.clear();
    }
}

/// A Close frame for an end, masked when that is the upstream. Unlike an encoder it writes any code.
pub(super) fn close_frame(to: Side, code: u16, reason: &str, seed: u64) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload.truncate(125);
    let [a, b, c, d, ..] = seed.to_be_bytes();
    let key = (to == Side::B).then_some([a, b, c, d]);
    let header =
        Header { fin: true, rsv1: false, opcode: OpCode::Close, mask: key, len: payload.len() as u64 };
    let mut head = [0; Header::MAX_LEN];
    let len = header.encode(&mut head);
    if let Some(key) = key {
        mask(&mut payload, key, 0);
    }
    let mut frame = head.get(..len).unwrap_or_default().to_vec();
    frame.extend(payload);
    frame
}
