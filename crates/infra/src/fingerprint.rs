//! Fingerprints of products, and the evidence that they are compared with.

use std::fmt;

use serde::Deserialize;

/// A trait of a product, with its weight as evidence.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "FingerprintTable")]
#[non_exhaustive]
pub struct Fingerprint {
    /// The part of the response to compare, with the expected content.
    pub matcher: Matcher,
    /// The weight from 1 to 100: the approximate percentage of endpoints with this trait that are this product.
    pub weight: u8,
    /// Further facts in a sentence or two.
    pub note: Option<String>,
}

/// A part of a response and its expected content. All comparisons ignore case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Matcher {
    /// A response header whose value contains a text.
    Header {
        /// The name of the header, or a prefix of it followed by `*`.
        name: String,
        /// The text in the value; an empty text matches any value.
        contains: String,
    },
    /// A cookie whose name starts with this text.
    Cookie(String),
    /// The end of the host name in the URL, starting with a dot.
    HostSuffix(String),
    /// A label of the host name in the URL.
    HostLabel(String),
    /// A text in the body.
    Body(String),
    /// A text in the issuer of the TLS certificate.
    Issuer(String),
    /// An inclusive range of status codes.
    Status(u16, u16),
}

/// The observations of an endpoint that fingerprints are compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The status code of the response.
    pub status: Option<u16>,
    /// The headers of the response, including repeated ones.
    pub headers: Vec<(String, String)>,
    /// The start of the body. Only the first 64 KiB are compared.
    pub body: String,
    /// The host name in the URL.
    pub host: Option<String>,
    /// Names of cookies in addition to those in `Set-Cookie` headers.
    pub cookies: Vec<String>,
    /// The issuer of the TLS certificate.
    pub issuer: Option<String>,
}

/// The evidence in lower case.
pub(crate) struct LowercaseEvidence {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: String,
    host: String,
    cookies: Vec<String>,
    issuer: String,
}

/// The number of bytes of a body that are compared.
const BODY: usize = 64 * 1024;

impl LowercaseEvidence {
    pub(crate) fn new(evidence: &Evidence) -> Self {
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
        let headers: Vec<(String, String)> = evidence
            .headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.to_lowercase()))
            .collect();
        let set = headers.iter().filter(|(name, _)| name == "set-cookie");
        let cookies = set
            .map(|(_, value)| value.split('=').next().unwrap_or_default().trim().to_owned())
            .chain(evidence.cookies.iter().map(|name| name.to_lowercase()))
            .collect();
        let body =
            evidence.body.get(..evidence.body.floor_char_boundary(BODY)).unwrap_or_default().to_lowercase();
        let host = lower(&evidence.host);
        let host = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_owned();
        Self { status: evidence.status, headers, body, host, cookies, issuer: lower(&evidence.issuer) }
    }

    /// Whether the evidence has what the matcher asks for.
    pub(crate) fn shows(&self, matcher: &Matcher) -> bool {
        match matcher {
            Matcher::Header { name, contains } => self.headers.iter().any(|(found, value)| {
                let named = match name.strip_suffix('*') {
                    Some(start) => found.starts_with(start),
                    None => found == name,
                };
                named && value.contains(contains.as_str())
            }),
            Matcher::Cookie(start) => self.cookies.iter().any(|name| name.starts_with(start.as_str())),
            Matcher::HostSuffix(end) => self.host.ends_with(end.as_str()),
            Matcher::HostLabel(label) => self.host.split('.').any(|found| found == label),
            Matcher::Body(part) => self.body.contains(part.as_str()),
            Matcher::Issuer(part) => self.issuer.contains(part.as_str()),
            Matcher::Status(first, last) => {
                self.status.is_some_and(|status| (*first..=*last).contains(&status))
            }
        }
    }
}

/// A fingerprint as written in a data file: exactly one of the matchers must be present.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FingerprintTable {
    header: Option<String>,
    contains: Option<String>,
    cookie: Option<String>,
    host_suffix: Option<String>,
    host_label: Option<String>,
    body: Option<String>,
    issuer: Option<String>,
    status: Option<(u16, u16)>,
    weight: u8,
    note: Option<String>,
}

impl TryFrom<FingerprintTable> for Fingerprint {
    type Error = String;

    fn try_from(written: FingerprintTable) -> Result<Self, String> {
        let FingerprintTable {
            header,
            contains,
            cookie,
            host_suffix,
            host_label,
            body,
            issuer,
            status,
            weight,
            note,
        } = written;
        if contains.is_some() && header.is_none() {
            return Err("`contains` belongs to `header`".to_owned());
        }
        if !(1..=100).contains(&weight) {
            return Err(format!("a weight is 1 to 100, not {weight}"));
        }
        let lower = |text: String| text.to_lowercase();
        let contains = contains.map(lower).unwrap_or_default();
        let mut matchers = [
            header.map(|name| Matcher::Header { name: lower(name), contains }),
            cookie.map(|name| Matcher::Cookie(lower(name))),
            host_suffix.map(|end| Matcher::HostSuffix(lower(end))),
            host_label.map(|label| Matcher::HostLabel(lower(label))),
            body.map(|part| Matcher::Body(lower(part))),
            issuer.map(|part| Matcher::Issuer(lower(part))),
            status.map(|(first, last)| Matcher::Status(first, last)),
        ]
        .into_iter()
        .flatten();
        match (matchers.next(), matchers.next()) {
            (Some(matcher), None) => Ok(Self { matcher, weight, note }),
            _ => Err("a fingerprint has exactly one of header, cookie, host-suffix, host-label, body, issuer, status"
                .to_owned()),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, contains } if contains.is_empty() => write!(f, "header `{name}`"),
            Self::Header { name, contains } => write!(f, "header `{name}` with `{contains}`"),
            Self::Cookie(start) => write!(f, "cookie `{start}…`"),
            Self::HostSuffix(end) => write!(f, "host `…{end}`"),
            Self::HostLabel(label) => write!(f, "`{label}` in the host name"),
            Self::Body(part) => write!(f, "body with `{}`", part.replace('\n', " ")),
            Self::Issuer(part) => write!(f, "certificate issued by `{part}`"),
            Self::Status(first, last) => write!(f, "status {first} to {last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(text: &str) -> Result<Fingerprint, toml::de::Error> {
        toml::from_str(text)
    }

    fn shows(evidence: Evidence, text: &str) -> bool {
        LowercaseEvidence::new(&evidence).shows(&written(text).unwrap().matcher)
    }

    #[test]
    fn a_fingerprint_has_one_matcher_and_a_weight_within_bounds() {
        assert!(written("header = 'Server'\ncontains = 'nginx'\nweight = 80").is_ok());
        for bad in [
            "weight = 50",
            "header = 'a'\nbody = 'b'\nweight = 50",
            "body = 'b'\ncontains = 'c'\nweight = 50",
            "body = 'b'\nweight = 0",
            "body = 'b'\nweight = 101",
            "bodi = 'b'\nweight = 1",
        ] {
            assert!(written(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_compared_by_labels_without_port_and_case() {
        let at = |host: &str| Evidence { host: Some(host.to_owned()), ..Evidence::default() };
        assert!(shows(at("App.Herokuapp.COM:443"), "host-suffix = '.herokuapp.com'\nweight = 1"));
        assert!(!shows(at("herokuapp.com.example.org"), "host-suffix = '.herokuapp.com'\nweight = 1"));
        assert!(shows(at("a.execute-api.eu-west-1.amazonaws.com"), "host-label = 'execute-api'\nweight = 1"));
        assert!(!shows(at("my-execute-api.example.org"), "host-label = 'execute-api'\nweight = 1"));
    }

    #[test]
    fn cookies_are_found_where_they_are_set() {
        let header = ("Set-Cookie".to_owned(), "AWSALB=x; Path=/".to_owned());
        let evidence = Evidence { headers: vec![header], ..Evidence::default() };
        assert!(shows(evidence, "cookie = 'AWSALB'\nweight = 1"));
        let evidence = Evidence { body: "AWSALB=".to_owned(), ..Evidence::default() };
        assert!(!shows(evidence, "cookie = 'AWSALB'\nweight = 1"));
    }

    #[test]
    fn a_body_is_compared_up_to_its_limit() {
        let body = format!("{}ä needle", "é".repeat(BODY));
        assert!(!shows(Evidence { body, ..Evidence::default() }, "body = 'needle'\nweight = 1"));
    }
}
