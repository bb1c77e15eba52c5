//! A response to the handshake by the proxy itself.

use undrop_fault::Side;
use undrop_frame::handshake::response_plain;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{FaultAction, Injector, FaultStart};
use crate::parameters::{CODE, HEADER_FIELDS, Parameters, TEXT};
use crate::spec_error::FaultSpecError;

/// Responds to the handshake instead of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusFault {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// Additional header fields of the response.
    pub headers: Vec<(String, String)>,
    /// The body of the response.
    pub body: String,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "status",
    summary: "The proxy responds to the handshake itself.",
    description: "The proxy responds to the handshake with `status` (200 to 599), `headers` and `body`. The upstream is not contacted.",
    examples: &["status status=503", r#"status body="slow down" headers={"Retry-After":"5"} status=429"#],
};

impl FaultBehavior for StatusFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("status", &CODE, &mut self.status)?;
        let valid = (200..=599).contains(&self.status);
        parameters.ensure(valid, "status", "must be between 200 and 599")?;
        parameters.with_default("headers", &HEADER_FIELDS, &mut self.headers, Vec::new())?;
        parameters.with_default("body", &TEXT, &mut self.body, String::new())
    }

    fn injector(&self, _start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let fields: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let response = response_plain(self.status, &fields, &self.body);
        Some(Box::new(RespondToHandshake { status: self.status, response }))
    }

    fn needs_websocket(&self) -> bool {
        true
    }

    fn concerns_opening_only(&self) -> bool {
        true
    }

    fn responds_to_handshake(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct RespondToHandshake {
    status: u16,
    response: Vec<u8>,
}

impl Injector for RespondToHandshake {
    fn on_head(&mut self, from: Side, _head: &mut Vec<u8>) -> Option<FaultAction> {
        let action = || FaultAction::Respond { status: self.status, response: self.response.clone() };
        (from == Side::A).then(action)
    }
}
