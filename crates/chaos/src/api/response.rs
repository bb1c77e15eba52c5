//! Responses of the API, in both dialects.

use std::error::Error as StdError;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::Error;
use crate::spec_error::FaultSpecError;
use crate::upstream::UpstreamError;

/// A request that is rejected.
#[derive(Debug)]
pub(super) struct ApiError {
    status: u16,
    message: String,
}

/// The result of a request handler.
pub(super) type ApiResult = Result<Response, ApiError>;

impl ApiError {
    pub(super) fn new(status: u16, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(400, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(404, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        json_response(self.status, &json!({ "error": self.message, "status": self.status }))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> ApiError {
        let status = if matches!(error, Error::NameTaken(_)) { 409 } else { 400 };
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        ApiError::new(status, message)
    }
}

impl From<FaultSpecError> for ApiError {
    fn from(error: FaultSpecError) -> ApiError {
        ApiError::bad_request(error.to_string())
    }
}

impl From<UpstreamError> for ApiError {
    fn from(error: UpstreamError) -> ApiError {
        ApiError::bad_request(error.to_string())
    }
}

pub(super) fn json_response(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Parses the body as JSON whatever its content type, because not every client sets one.
pub(super) fn json_body(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not valid JSON: {error}")))
}
