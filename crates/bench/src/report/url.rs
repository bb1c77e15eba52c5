//! URLs without their secrets.

use url::{Url, form_urlencoded};

/// Parts of parameter names that indicate a secret value. Hiding a harmless value does little damage.
const SECRET: [&str; 16] = [
    "token", "key", "secret", "auth", "pass", "pwd", "sig", "jwt", "ticket", "sid", "session", "code",
    "cred", "nonce", "bearer", "otp",
];

/// Returns a URL without user information, fragment and secret query values, also if the text is not a valid URL.
///
/// Reports and error messages are passed on, so they must not contain secrets.
pub fn shown_url(text: &str) -> String {
    let (rest, fragment) = match text.split_once('#') {
        Some((rest, _)) => (rest, "#…"),
        None => (text, ""),
    };
    let (base, query) = match rest.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (rest, None),
    };
    let mut shown = match Url::parse(base) {
        Ok(mut url) if url.has_host() => {
            // Both fail only for URLs that cannot have user information.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        _ => without_user(base),
    };
    if let Some(query) = query {
        shown.push('?');
        shown.push_str(&query.split('&').map(hidden).collect::<Vec<_>>().join("&"));
    }
    shown + fragment
}

/// Removes the user information of `wss://user:password@host/path`.
fn without_user(text: &str) -> String {
    let (scheme, rest) = match text.find("//") {
        Some(at) => text.split_at(at + 2),
        None => ("", text),
    };
    // A password that was not encoded may contain a slash.
    match rest.rfind('@') {
        Some(at) => format!("{scheme}{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}

fn hidden(pair: &str) -> String {
    let Some((name, _)) = pair.split_once('=') else { return pair.to_owned() };
    let read: String =
        form_urlencoded::parse(name.as_bytes()).map(|(name, _)| name.to_ascii_lowercase()).collect();
    if SECRET.iter().any(|word| read.contains(word)) { format!("{name}=…") } else { pair.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_the_url() {
        for (url, shown) in [
            ("wss://example.com/ws?room=5&access_token=abc", "wss://example.com/ws?room=5&access_token=…"),
            (
                "wss://example.com/?X-Amz-Signature=ab&sig=c&code=d",
                "wss://example.com/?X-Amz-Signature=…&sig=…&code=…",
            ),
            (
                "wss://example.com/?apikey=a&credential=b&Authorization=c",
                "wss://example.com/?apikey=…&credential=…&Authorization=…",
            ),
            ("wss://example.com/?to%6ben=a%26b", "wss://example.com/?to%6ben=…"),
            ("wss://example.com/?a=1#token=abc", "wss://example.com/?a=1#…"),
            ("wss://me:secret@example.com/", "wss://example.com/"),
            ("ws://127.0.0.1:8080", "ws://127.0.0.1:8080/"),
            ("not a url", "not a url"),
            ("wss://me:sec ret@exa mple.com/?token=abc", "wss://exa mple.com/?token=…"),
            ("//me:a/b@host", "//host"),
            ("me:secret@host:80", "host:80"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
