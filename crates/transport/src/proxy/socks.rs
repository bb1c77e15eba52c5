//! SOCKS5 (RFC 1928) with user name and password (RFC 1929).

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use undrop_frame::{ProxyFault, SocksReply};

use super::{Credentials, ProxyError};
use crate::Stream;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xff;

/// Asks the proxy for a connection to a name or address. The caller limits the time.
pub(crate) async fn socks5(
    stream: &mut Stream,
    host: &str,
    port: u16,
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    let protocol = |what: &str| ProxyError::Fault(ProxyFault::Protocol(what.to_owned()));
    let methods: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    stream.write_all(methods).await?;
    stream.flush().await?;
    let mut choice = [0; 2];
    stream.read_exact(&mut choice).await?;
    match (choice, credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USER_AND_PASSWORD], Some(known)) => authenticate(stream, known).await?,
        ([VERSION, NONE_ACCEPTABLE], _) => return Err(ProxyFault::Authentication.into()),
        ([VERSION, _], _) => return Err(protocol("a method that was not offered")),
        _ => return Err(protocol("not SOCKS5")),
    }

    let mut request = vec![VERSION, 1, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(1);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(4);
            request.extend(address.octets());
        }
        Err(_) => {
            let len = u8::try_from(host.len()).map_err(|_| protocol("host name over 255 bytes"))?;
            request.extend([3, len]);
            request.extend(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    stream.write_all(&request).await?;
    stream.flush().await?;

    let mut reply = [0; 4];
    stream.read_exact(&mut reply).await?;
    let [version, result, _, kind] = reply;
    if version != VERSION {
        return Err(protocol("not SOCKS5"));
    }
    if result != 0 {
        return Err(ProxyFault::Socks(SocksReply(result)).into());
    }
    // The address that the proxy uses is not needed, but has to be read.
    let len = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await?),
        _ => return Err(protocol("unknown kind of address")),
    };
    let mut bound = [0; 255 + 2];
    stream.read_exact(&mut bound[..len + 2]).await?;
    Ok(())
}

async fn authenticate(stream: &mut Stream, known: &Credentials) -> Result<(), ProxyError> {
    // The lengths were checked when the URL was parsed.
    let mut request = vec![1, known.user.len() as u8];
    request.extend(&known.user);
    request.push(known.password.len() as u8);
    request.extend(&known.password);
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await?;
    if answer[1] == 0 { Ok(()) } else { Err(ProxyFault::Authentication.into()) }
}
