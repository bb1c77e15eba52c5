//! `config.ws` and `config.tls`: the options of the JavaScript client that apply here.

use std::time::Duration;

use crate::builder::Defaults;
use crate::keys::{headers, texts};
use crate::model::ConnectionOptions;
use undrop_text::suggest;

use crate::yaml::node::{MapEntry, YamlValue};
use crate::yaml::reader::{Fields, Reader, Result};

/// The options of that client that have no effect here.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("maxPayload", "messages up to 64 MiB are taken"),
    ("skipUTF8Validation", "text is always validated"),
    ("protocolVersion", "it is always 13"),
    ("followRedirects", "redirects are reported, not followed"),
    ("maxRedirects", "redirects are reported, not followed"),
    ("generateMask", "masks are always random"),
    ("allowSynchronousEvents", "it has no meaning here"),
    ("autoPong", "Pings are always answered"),
];

/// Reads the options of all connections, and the time to wait for replies (`ws.timeout`).
pub(crate) fn read(
    reader: &mut Reader,
    ws: Option<&MapEntry>,
    tls: Option<&MapEntry>,
    defaults: &mut Defaults,
) -> Result<(ConnectionOptions, Option<Duration>)> {
    let mut connection = ConnectionOptions::default();
    let mut timeout = None;
    if let Some(entry) = ws.filter(|entry| !matches!(entry.value.kind, YamlValue::Null)) {
        let mut fields = reader.fields(&entry.value, "`ws`")?;
        if let Some(entry) = fields.take("subprotocols") {
            defaults.protocols = texts(reader, entry)?;
        }
        if let Some(entry) = fields.take("headers") {
            headers(reader, entry, defaults)?;
        }
        if let Some(entry) = fields.take("timeout") {
            timeout = Some(reader.duration(entry)?);
        }
        options(reader, &mut fields, defaults, &mut connection, "ws")?;
    }
    if let Some(entry) = tls.filter(|entry| !matches!(entry.value.kind, YamlValue::Null)) {
        let mut fields = reader.fields(&entry.value, "`tls`")?;
        options(reader, &mut fields, defaults, &mut connection, "tls")?;
    }
    Ok((connection, timeout))
}

/// Reads everything but subprotocols and headers, also for `connect`, which has the same options.
pub(crate) fn options(
    reader: &mut Reader,
    fields: &mut Fields<'_>,
    defaults: &mut Defaults,
    connection: &mut ConnectionOptions,
    what: &'static str,
) -> Result<()> {
    if let Some(entry) = fields.take("proxy") {
        let mut proxy = reader.fields(&entry.value, "`proxy`")?;
        let url = proxy.take("url");
        let url = url.ok_or_else(|| reader.error(entry.place, "`proxy` needs a `url`"))?;
        connection.proxy = Some(reader.fixed(url)?);
        reader.finish(&proxy)?;
    }
    if let Some(entry) = fields.take("rejectUnauthorized") {
        connection.insecure = !reader.flag(entry)?;
    }
    if let Some(entry) = fields.take("servername") {
        connection.server_name = Some(reader.text(entry)?);
    }
    if let Some(entry) = fields.take("handshakeTimeout") {
        // This option is in milliseconds, unlike everything else in these files.
        let milliseconds = reader.number(entry)?;
        connection.handshake_timeout = Some(Duration::from_secs_f64(milliseconds.min(1e9) / 1000.0));
        reader.notice(
            entry.place,
            format!("`handshakeTimeout: {milliseconds}` is in milliseconds, as in Artillery"),
        );
    }
    if let Some(entry) = fields.take("perMessageDeflate") {
        connection.compress = match &entry.value.kind {
            YamlValue::Map(_) => {
                reader.notice(
                    entry.place,
                    "compression is offered; the parameters of `perMessageDeflate` are ignored",
                );
                Some(true)
            }
            _ => Some(reader.flag(entry)?),
        };
    }
    if let Some(entry) = fields.take("origin") {
        let value = reader.template_of(entry)?;
        defaults.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("origin"));
        defaults.headers.push(("Origin".to_owned(), value));
    }
    if let Some(entry) = fields.take("ca") {
        let text = reader.text(entry)?;
        if text.contains("BEGIN CERTIFICATE") {
            let message =
                "`ca` is the name of a file here; a certificate in the file itself is not supported";
            return Err(reader.error(entry.value.place, message));
        }
        connection.ca = Some(reader.folder.join(text));
    }
    for key in ["key", "cert", "pfx", "passphrase", "agent"] {
        if let Some(entry) = fields.take_quietly(key) {
            let message =
                format!("`{what}.{key}` is not supported: there are no client certificates and agents here");
            return Err(reader.error(entry.place, message));
        }
    }
    for (key, why) in WITHOUT_EFFECT {
        if let Some(entry) = fields.take_quietly(key) {
            reader.notice(entry.place, format!("`{what}.{key}` is ignored: {why}"));
        }
    }
    for entry in fields.left() {
        if suggest::nearest(&entry.key, fields.known().iter().copied()).is_some() {
            return Err(reader.unknown_key(entry, &format!("`{what}`"), fields.known()));
        }
        reader.notice(entry.place, format!("`{what}.{}` is unknown and ignored", entry.key));
    }
    Ok(())
}
