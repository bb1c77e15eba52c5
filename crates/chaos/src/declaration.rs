//! The interface between the proxy and the file of each fault kind.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use crate::injector::{FaultStart, Injector};
use crate::parameters::Parameters;
use crate::spec_error::FaultSpecError;

/// The name and the documentation of a fault kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultDeclaration {
    /// The `kind` by which flags, files and requests select the fault, in kebab case.
    pub kind: &'static str,
    /// The effect of the fault, in one sentence.
    pub summary: &'static str,
    /// The effect of the fault and of its parameters, as a paragraph of Markdown.
    pub description: &'static str,
    /// Faults in the form of the command line, with their canonical spelling. Together they use every parameter.
    pub examples: &'static [&'static str],
}

/// The effect of a fault on a connection that is being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultAdmission {
    /// The connection is accepted.
    Accept,
    /// Nothing happens on the connection for this long.
    Delay(Duration),
    /// The connection is accepted and reset at once.
    Reset,
}

/// A period in which the listener is closed; without an end if the second instant is `None`.
pub(crate) type ClosedPeriod = (Instant, Option<Instant>);

/// A fault kind: its parameters and its effects. Each kind is one file in `kind/` and one line in the list of `kind.rs`.
pub(crate) trait FaultBehavior: Debug {
    /// Returns the name and the documentation of the kind.
    fn declaration(&self) -> &'static FaultDeclaration;

    /// Declares the parameters. The same declaration reads, writes, scales and lists them.
    ///
    /// # Errors
    /// A parameter that is being read is missing or invalid.
    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError>;

    /// Returns the part of the fault that acts on a connection, or `None` if the fault concerns only the listener.
    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>>;

    /// Returns whether the fault needs to read the handshake or the frames.
    fn needs_websocket(&self) -> bool {
        false
    }

    /// Returns whether the fault affects a connection only while it is being opened.
    fn concerns_opening_only(&self) -> bool {
        false
    }

    /// Returns whether the proxy responds to the handshake itself, without the upstream.
    fn responds_to_handshake(&self) -> bool {
        false
    }

    /// Returns the effect on a connection that is accepted `elapsed` after the fault was added.
    fn admission(&self, _elapsed: Duration) -> FaultAdmission {
        FaultAdmission::Accept
    }

    /// Returns the periods around `now` in which the fault, added at `since`, closes the listener.
    fn closed_periods(&self, _since: Instant, _now: Instant) -> [Option<ClosedPeriod>; 2] {
        [None, None]
    }
}
