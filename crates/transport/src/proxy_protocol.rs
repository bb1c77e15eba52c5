//! The PROXY protocol, versions 1 and 2, in which a load balancer states the address of the client.
//!
//! The header is limited in size and read byte by byte where necessary, so no byte after it is consumed. It is accepted
//! from trusted peers only, because any peer can send one. For a trusted peer it is required: if it were optional, a client
//! of a misconfigured load balancer could forge its address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The maximum length of a version 1 header, including the line end.
const V1_LIMIT: usize = 107;
/// The maximum length of a version 2 body: the addresses and a generous number of additional fields.
const V2_LIMIT: usize = 4096;

/// The reason why a PROXY header was not accepted. The connection must be closed without a response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The header was not complete within the time limit.
    #[error("the PROXY header did not arrive in time")]
    Timeout,
    /// The peer closed the connection, as health checks do.
    #[error("the connection ended before the PROXY header was complete")]
    Closed,
    /// The header is missing or malformed.
    #[error("malformed PROXY header: {0}")]
    Malformed(&'static str),
    /// The socket failed with an I/O error.
    #[error("reading the PROXY header: {0}")]
    Io(io::Error),
}

/// Reads one header. Returns `None` if the connection is the load balancer's own (`LOCAL`, `UNKNOWN`), so the address of
/// the socket applies.
///
/// # Errors
/// The header is missing, malformed or late.
pub async fn read_proxy_header<S: AsyncRead + Unpin>(
    stream: &mut S,
    deadline: Instant,
) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    timeout_at(deadline, read(stream)).await.unwrap_or(Err(ProxyHeaderError::Timeout))
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.map_err(sort)?;
    if start == *V2_SIGNATURE {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.map_err(sort)?;
        let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if len > V2_LIMIT {
            return Err(ProxyHeaderError::Malformed("version 2 body too long"));
        }
        let mut body = vec![0; len];
        stream.read_exact(&mut body).await.map_err(sort)?;
        return parse_v2(head[0], head[1], &body);
    }
    if !start.starts_with(b"PROXY ") {
        return Err(ProxyHeaderError::Malformed("no PROXY header, though this peer has to send one"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == V1_LIMIT {
            return Err(ProxyHeaderError::Malformed("version 1 line too long"));
        }
        line.push(stream.read_u8().await.map_err(sort)?);
    }
    parse_v1(&line[..line.len() - 2])
}

fn sort(error: io::Error) -> ProxyHeaderError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ProxyHeaderError::Closed,
        _ => ProxyHeaderError::Io(error),
    }
}

fn parse_v1(line: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let malformed = ProxyHeaderError::Malformed;
    let line = std::str::from_utf8(line).map_err(|_| malformed("not ASCII"))?;
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["PROXY", "UNKNOWN", ..] => Ok(None),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, target, source_port, target_port] => {
            let address = |text: &str| -> Result<IpAddr, ProxyHeaderError> {
                let address: IpAddr = text.parse().map_err(|_| malformed("bad address"))?;
                if address.is_ipv4() == (family == "TCP4") {
                    Ok(address)
                } else {
                    Err(malformed("wrong family"))
                }
            };
            let port = |text: &str| -> Result<u16, ProxyHeaderError> {
                let plain =
                    text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
                text.parse().ok().filter(|_| plain).ok_or(malformed("bad port"))
            };
            address(target)?;
            port(target_port)?;
            Ok(Some(SocketAddr::new(address(source)?, port(source_port)?)))
        }
        _ => Err(malformed("bad version 1 line")),
    }
}

fn parse_v2(version_command: u8, family: u8, body: &[u8]) -> Result<Option<SocketAddr>, ProxyHeaderError> {
    let malformed = ProxyHeaderError::Malformed;
    match version_command {
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err(malformed("bad version or command")),
    }
    let too_short = || malformed("version 2 body too short");
    match family {
        // TCP or UDP over IPv4: source address, destination address, source port, destination port.
        0x11 | 0x12 => {
            let body: &[u8; 12] = body.first_chunk().ok_or_else(too_short)?;
            let ip = Ipv4Addr::new(body[0], body[1], body[2], body[3]);
            Ok(Some(SocketAddr::new(ip.into(), u16::from_be_bytes([body[8], body[9]]))))
        }
        0x21 | 0x22 => {
            let body: &[u8; 36] = body.first_chunk().ok_or_else(too_short)?;
            let mut ip = [0; 16];
            ip.copy_from_slice(&body[..16]);
            let port = u16::from_be_bytes([body[32], body[33]]);
            Ok(Some(SocketAddr::new(Ipv6Addr::from(ip).into(), port)))
        }
        // Unspecified addresses and Unix sockets.
        0x00 | 0x31 | 0x32 => Ok(None),
        _ => Err(malformed("unknown address family")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Duration;

    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn feed(bytes: &[u8]) -> (Result<Option<SocketAddr>, ProxyHeaderError>, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        let result = read_proxy_header(&mut ours, Instant::now() + Duration::from_secs(5)).await;
        let mut rest = Vec::new();
        ours.read_to_end(&mut rest).await.unwrap();
        (result, rest)
    }

    fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([version_command, family]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    #[tokio::test]
    async fn version_1_leaves_the_rest_alone() {
        let (result, rest) = feed(b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nGET / HTTP/1.1\r\n").await;
        assert_eq!(result.unwrap(), Some("203.0.113.7:56324".parse().unwrap()));
        assert_eq!(rest, b"GET / HTTP/1.1\r\n");
        let (result, _) = feed(b"PROXY TCP6 2001:db8::7 ::1 1 2\r\n").await;
        assert_eq!(result.unwrap(), Some("[2001:db8::7]:1".parse().unwrap()));
        let (result, rest) = feed(b"PROXY UNKNOWN\r\nx").await;
        assert_eq!((result.unwrap(), rest), (None, b"x".to_vec()));
    }

    #[tokio::test]
    async fn version_2_with_extra_fields() {
        let mut body = vec![203, 0, 113, 7, 192, 0, 2, 1, 0xdc, 0x04, 1, 187];
        body.extend([0x04, 0, 1, 0]);
        let (result, rest) = feed(&[v2(0x21, 0x11, &body), b"GET".to_vec()].concat()).await;
        assert_eq!(result.unwrap(), Some("203.0.113.7:56324".parse().unwrap()));
        assert_eq!(rest, b"GET");
        let mut body = vec![0; 36];
        body[15] = 9;
        body[33] = 80;
        let (result, _) = feed(&v2(0x21, 0x21, &body)).await;
        assert_eq!(result.unwrap(), Some("[::9]:80".parse().unwrap()));
        let (result, _) = feed(&v2(0x20, 0, &[])).await;
        assert_eq!(result.unwrap(), None, "a health check of the balancer itself");
    }

    #[tokio::test]
    async fn broken_headers_are_refused() {
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(200));
        for bytes in [
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n".to_vec(),
            b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 192.0.2.1 99999 1\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.7 192.0.2.1 +1 1\r\n".to_vec(),
            long.into_bytes(),
            v2(0x31, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 11]),
            v2(0x21, 0x77, &[0; 12]),
            v2(0x21, 0x11, &[0; 5000]),
        ] {
            let (result, _) = feed(&bytes).await;
            assert!(matches!(result, Err(ProxyHeaderError::Malformed(_))), "{result:?}");
        }
        let (result, _) = feed(b"PROXY TC").await;
        assert!(matches!(result, Err(ProxyHeaderError::Closed)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_header_meets_its_deadline() {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let start = Instant::now();
        let drip = tokio::spawn(async move {
            for byte in b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 443".iter() {
                let _ = theirs.write_all(&[*byte]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let result = read_proxy_header(&mut ours, start + Duration::from_secs(5)).await;
        assert!(matches!(result, Err(ProxyHeaderError::Timeout)));
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        drip.abort();
    }
}
