//! The actions of faults on a whole connection.

use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Side};

use super::Tunnel;
use super::half::{TunnelHalf, encode_close};
use super::injection::InjectionSource;
use crate::close_frame::CloseFrame;
use crate::direction::Direction;
use crate::injector::FaultAction;

/// The time limit for a Close frame that waits for the end of another frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl Tunnel {
    /// Applies an action of a fault and records it. With `after`, the action comes directly after the data that this side
    /// sent.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        source: InjectionSource,
        action: FaultAction,
        after: Option<Side>,
    ) {
        let half = if source.direction == Direction::Down { Side::B } else { Side::A };
        let passed = self.halves[half as usize].queued;
        self.injections.push_back(source.record(&action, self.opened, passed));
        match action {
            FaultAction::Log(_) | FaultAction::Forget => {}
            FaultAction::Vanish(side) => {
                self.over = true;
                self.resets[side as usize] = true;
                self.halves[side as usize].silence();
                self.pair.finish(now, side, CloseManner::Silent);
            }
            FaultAction::Respond { response, .. } => {
                self.over = true;
                self.responded = true;
                self.halves[Side::A as usize].silence();
                self.halves[Side::B as usize].push(&response);
                self.halves[Side::B as usize].close();
            }
            FaultAction::SendClose(to, frame) => {
                self.over = true;
                self.send_close(now, to, &frame);
                self.halves[to as usize].close();
            }
            FaultAction::End(how) => {
                self.over = true;
                self.end(now, how, after);
            }
        }
    }

    /// Ends the connection in this manner.
    fn end(&mut self, now: Instant, how: CloseManner<CloseFrame>, after: Option<Side>) {
        let cut = match how {
            CloseManner::Close(frame) => {
                for to in [Side::A, Side::B] {
                    self.send_close(now, to, &frame);
                }
                return;
            }
            CloseManner::Fin => return self.halves.iter_mut().for_each(TunnelHalf::close),
            CloseManner::Rst => CloseManner::Rst,
            CloseManner::Silent => CloseManner::Silent,
        };
        match after {
            Some(from) => self.pair.cut_after_data(now, from, cut),
            None => self.pair.cut(now, cut),
        }
        self.halves.iter_mut().for_each(TunnelHalf::silence);
        if cut == CloseManner::Silent {
            // A side that continues to send is read only until the link is full.
            self.halves.iter_mut().for_each(|half| half.mute = false);
            self.halves.iter_mut().for_each(|half| drop(half.reader.give_up()));
        }
    }

    /// Sends a Close frame to one side: at once between two frames, otherwise after the current frame.
    fn send_close(&mut self, now: Instant, to: Side, frame: &CloseFrame) {
        let seed = self.seed;
        let half = &mut self.halves[to.other() as usize];
        if half.mute {
            return;
        }
        let bytes = encode_close(to, frame, seed);
        if half.reader.accepts_close() {
            half.push(&bytes);
            half.close();
        } else if half.reader.in_frame() {
            half.pending_close = Some((bytes, now + CLOSE_TIMEOUT));
        } else {
            half.close();
        }
    }
}
