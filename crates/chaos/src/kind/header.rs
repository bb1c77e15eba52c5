//! Header fields of the handshake that are changed.

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, FaultStart, head};
use crate::parameters::{FLAG, Parameters, TEXT};
use crate::spec_error::FaultSpecError;

/// Sets or removes a header field of the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderFault {
    /// The name of the field.
    pub name: String,
    /// The new value; `None` if the field is removed.
    pub set: Option<String>,
    /// The head that is changed.
    pub on: HandshakeHead,
}

/// A head of the opening handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HandshakeHead {
    /// The request of the client.
    #[default]
    Request,
    /// The response of the upstream.
    Response,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "header",
    summary: "A header field of the handshake is set or removed.",
    description: "The header field `name` is set to `set`, or removed with `remove=true`, in the request or in the response of the handshake.",
    examples: &["header name=Upgrade remove=true", r#"header name=X-Y on=response set="1 2""#],
};

impl FaultBehavior for HeaderFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        parameters.required("name", &TEXT, &mut self.name)?;
        let valid = !self.name.is_empty() && self.name.bytes().all(is_token);
        parameters.ensure(valid, "name", "is not the name of a header field")?;
        parameters.optional("set", &TEXT, &mut self.set, "see `remove`")?;
        let one_line = self.set.iter().all(|value| value.bytes().all(|byte| byte >= 0x20 && byte != 0x7f));
        parameters.ensure(one_line, "set", "must be one line without control characters")?;
        let mut remove = self.set.is_none();
        parameters.with_default("remove", &FLAG, &mut remove, false)?;
        let one = remove == self.set.is_none();
        parameters.ensure(one, "set", "write either `set = \"…\"` or `remove = true`")?;
        let heads = [("request", HandshakeHead::Request), ("response", HandshakeHead::Response)];
        parameters.choice("on", &mut self.on, &heads)
    }

    fn injector(&self, _start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let sides = match self.on {
            HandshakeHead::Request => [true, false],
            HandshakeHead::Response => [false, true],
        };
        Some(head::edit_field(&self.name, self.set.as_deref(), sides))
    }

    fn needs_websocket(&self) -> bool {
        true
    }

    fn concerns_opening_only(&self) -> bool {
        true
    }
}

/// Returns whether a byte may occur in the name of a header field (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
