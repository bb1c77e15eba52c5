//! One half of a connection: the data of one direction on its way into the pair of links.

use std::collections::VecDeque;
use std::time::Instant;

use undrop_fault::Side;
use undrop_frame::{Header, OpCode, mask};

use super::injection::InjectionSource;
use super::reader::StreamReader;
use crate::close_frame::CloseFrame;
use crate::injector::FaultAction;

/// One direction of a connection: the data that a side sent and the pair has not accepted yet.
#[derive(Debug)]
pub(super) struct TunnelHalf {
    pub(super) reader: StreamReader,
    pub(super) queue: VecDeque<QueueItem>,
    /// The number of bytes that were ever put into the queue.
    pub(super) queued: u64,
    /// Whether further data of the side is discarded.
    pub(super) mute: bool,
    /// A Close frame that waits for the end of a frame, and its time limit.
    pub(super) pending_close: Option<(Vec<u8>, Instant)>,
    /// The number of the last frame that was logged as dropped or changed.
    pub(super) logged_frame: Option<u64>,
}

/// An item of the queue.
#[derive(Debug)]
pub(super) enum QueueItem {
    /// Bytes, and the number of them that the pair has accepted.
    Bytes(Vec<u8>, usize),
    Fin,
    /// An action that is taken directly after the bytes before it.
    Action(Box<(InjectionSource, FaultAction)>),
}

impl TunnelHalf {
    pub(super) fn new(from: Side) -> TunnelHalf {
        TunnelHalf {
            reader: StreamReader::new(from),
            queue: VecDeque::new(),
            queued: 0,
            mute: false,
            pending_close: None,
            logged_frame: None,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.queued += bytes.len() as u64;
        match self.queue.back_mut() {
            Some(QueueItem::Bytes(last, _)) => last.extend_from_slice(bytes),
            _ => self.queue.push_back(QueueItem::Bytes(bytes.to_vec(), 0)),
        }
    }

    /// Ends the stream in order after the queued data.
    pub(super) fn close(&mut self) {
        if !self.mute {
            self.mute = true;
            self.queue.push_back(QueueItem::Fin);
        }
    }

    /// Discards further data and the queue.
    pub(super) fn silence(&mut self) {
        self.mute = true;
        self.pending_close = None;
        self.queue.clear();
    }
}

/// Encodes a Close frame for a side, masked for the upstream. Unlike an encoder, it accepts any code.
pub(super) fn encode_close(to: Side, frame: &CloseFrame, seed: u64) -> Vec<u8> {
    let mut payload = frame.code.to_be_bytes().to_vec();
    payload.extend_from_slice(frame.reason.as_bytes());
    payload.truncate(2 + CloseFrame::MAX_REASON);
    let [a, b, c, d, ..] = seed.to_be_bytes();
    let key = (to == Side::B).then_some([a, b, c, d]);
    let header =
        Header { fin: true, rsv1: false, opcode: OpCode::Close, mask: key, len: payload.len() as u64 };
    let mut head = [0; Header::MAX_LEN];
    let len = header.encode(&mut head);
    if let Some(key) = key {
        mask(&mut payload, key, 0);
    }
    let mut bytes = head.get(..len).unwrap_or_default().to_vec();
    bytes.extend(payload);
    bytes
}
