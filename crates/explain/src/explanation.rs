//! The explanation of a code or message.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The explanation of one code, flag, response or message.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The source of the code or message.
    pub family: Family,
    /// The identifier with which [`explain`](crate::explain) finds it.
    pub id: String,
    /// The title, in one line.
    pub title: String,
    /// The meaning, in one or two sentences.
    pub meaning: String,
    /// The party that may send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Whether the client should reconnect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// The parts with their meanings: characters of a state, or products with such a response.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(String, String)>,
    /// The messages of browsers and libraries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// The causes, the likeliest first.
    pub causes: Vec<Cause>,
    /// The remedies for the causes.
    pub fix: Vec<String>,
    /// A configuration that can be copied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// Queries about related codes and messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub see: Vec<String>,
}

/// The source of a code or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Family {
    /// A close code (RFC 6455 §7.4).
    CloseCode,
    /// A response to a handshake, or the lack of one.
    #[serde(rename = "answer")]
    HttpStatus,
    /// A termination state of HAProxy.
    Haproxy,
    /// A response flag of Envoy.
    Envoy,
    /// A line of the error log of nginx.
    Nginx,
    /// A console message of a browser.
    Browser,
    /// An error of a library or framework.
    Library,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CloseCode => "close code",
            Self::HttpStatus => "response to the handshake",
            Self::Haproxy => "HAProxy termination state",
            Self::Envoy => "Envoy response flag",
            Self::Nginx => "nginx error log",
            Self::Browser => "browser console",
            Self::Library => "library error",
        })
    }
}

/// A possible cause of a code or message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cause {
    /// The cause in a few words.
    pub what: String,
    /// The observation that distinguishes it from other causes.
    pub tell: String,
}

/// A configuration that can be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Example {
    /// The language, as named in Markdown.
    pub language: String,
    /// The text of the example.
    pub text: String,
}
