//! The events of the machine, handled by the task that drives it.

use std::time::Instant;

use undrop_frame::{CloseCode, OpCode};
use undrop_session::{GatewayEvent, GoAway, LossReason};
use undrop_transport::{Ending, tcp_info};

use super::{BACKEND_CLOSE, Driver, DriverPhase};
use crate::closing::{close_frame, control, masked_close_frame};

impl Driver {
    pub(super) fn poll_events(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(event) = self.machine.poll_event() {
            any = true;
            match event {
                GatewayEvent::SendPing => {
                    self.machine.queue_control_frame(&control(OpCode::Ping, b"undrop.hb", None))
                }
                GatewayEvent::SuspectDead => self.suspect(now),
                GatewayEvent::Close { code, reason } => {
                    tracing::debug!(sid = %self.entry.sid, code = code.get(), "client closed the session");
                    self.close_backend_for_client(DriverPhase::ClientClosed, code, &reason, now);
                }
                GatewayEvent::Finished => {
                    self.retire_link(close_frame(Some(CloseCode::NORMAL), ""), now);
                    self.phase = DriverPhase::Over;
                }
                GatewayEvent::Expired => {
                    tracing::info!(sid = %self.entry.sid, "session expired: its client did not return in time");
                    self.why = Some(LossReason::Expired);
                    self.end_backend(Some(CloseCode::GOING_AWAY), "client did not return");
                    self.phase = DriverPhase::Over;
                }
                GatewayEvent::Overflow => {
                    tracing::warn!(sid = %self.entry.sid, "session ended: its replay buffer is full");
                    self.why = Some(LossReason::Overflow);
                    self.end_backend(Some(CloseCode::POLICY_VIOLATION), "client too slow");
                    self.phase = DriverPhase::Over;
                }
                GatewayEvent::LinkTooOld => {
                    self.machine
                        .drain(now, GoAway { wait: 0, slot: 5_000, until: 60_000, why: "age".into() });
                }
                // When the whole process drains, `Sessions::drain` closes and counts the remaining sessions.
                GatewayEvent::DrainOver if self.draining => {}
                GatewayEvent::DrainOver => {
                    if self.link.is_some() {
                        self.retire_link(close_frame(Some(CloseCode::GOING_AWAY), "drain is over"), now);
                        self.detached(
                            &Ending::Close { code: CloseCode::GOING_AWAY, reason: "drain is over".into() },
                            now,
                        );
                    }
                }
                GatewayEvent::Dropped { from, to } => {
                    tracing::warn!(sid = %self.entry.sid, from, to, "units dropped: the client is too slow");
                }
                other => tracing::trace!(sid = %self.entry.sid, ?other, "session event"),
            }
        }
        any
    }

    /// Handles a Ping without a reply. Only the kernel knows whether the path is dead or the page is asleep (PROTOCOL §7).
    pub(super) fn suspect(&mut self, now: Instant) {
        let Some(link) = &self.link else { return };
        let silence = self.node.options.machine.heartbeat;
        let dead = link
            .stream
            .tcp()
            .and_then(|tcp| tcp_info(tcp).ok())
            .is_none_or(|info| info.path_is_dead(silence));
        if dead {
            self.link_lost(&Ending::BlackHole, now);
        } else {
            tracing::debug!(sid = %self.entry.sid, "client is silent, but its kernel acknowledges: asleep or slow");
        }
    }

    /// Closes the backend because the client closed the session or sent a refused message. The backend has some time to reply
    /// with its Close frame.
    pub(super) fn close_backend_for_client(
        &mut self,
        phase: DriverPhase,
        code: CloseCode,
        reason: &str,
        now: Instant,
    ) {
        match self.phase {
            DriverPhase::Open => {}
            // Both sides have closed.
            DriverPhase::BackendClosed if phase == DriverPhase::ClientClosed => {
                return self.phase = DriverPhase::Over;
            }
            _ => return,
        }
        self.phase = phase;
        self.timers.close_at = Some(now + BACKEND_CLOSE);
        let mut key = [0; 4];
        if getrandom::fill(&mut key).is_ok() {
            self.backend.out.extend(masked_close_frame(Some(code), reason, key));
        }
    }
}
