//! The unmodified tokio-tungstenite client against the echo backend: `tungstenite-client URL`.

use anyhow::{Context, ensure};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("usage: tungstenite-client URL")?;

    let (mut socket, protocol) = open(&format!("{url}/from/rust?x=1")).await?;
    ensure!(protocol == "chat.v1", "subprotocol {protocol}");
    socket.send(Message::text("!about")).await?;
    let about = next(&mut socket).await?.into_text()?;
    ensure!(about.contains(r#""path":"/from/rust?x=1""#), "the backend saw {about}");

    let block: Vec<u8> = (0..4099_u32).map(|i| (i * i + (i >> 3)) as u8).collect();
    let large: Vec<u8> = block.iter().copied().cycle().take(16 << 20).collect();
    for message in [
        Message::text("plain"),
        Message::text("ünïcödé ☃ 𝄞"),
        Message::binary(Vec::new()),
        Message::binary(large),
    ] {
        socket.send(message.clone()).await?;
        let got = next(&mut socket).await?;
        ensure!(got == message, "a message of {} bytes came back as one of {}", message.len(), got.len());
    }
    for number in 0..500 {
        socket.feed(Message::text(number.to_string())).await?;
    }
    socket.flush().await?;
    for number in 0..500 {
        ensure!(next(&mut socket).await?.into_text()?.as_str() == number.to_string(), "message {number}");
    }
    socket.close(Some(CloseFrame { code: 4004.into(), reason: "from Rust".into() })).await?;
    while let Some(message) = socket.next().await {
        if let Ok(Message::Close(frame)) = message {
            ensure!(frame.is_some_and(|frame| u16::from(frame.code) == 4004), "another close came back");
        }
    }

    let (mut socket, _) = open(&url).await?;
    socket.send(Message::text("!close 4001 see you")).await?;
    let Message::Close(Some(frame)) = next(&mut socket).await? else { anyhow::bail!("no close came") };
    ensure!((u16::from(frame.code), frame.reason.as_str()) == (4001, "see you"), "closed with {frame}");

    match open(&format!("{url}/refused")).await.map_err(anyhow::Error::downcast) {
        Err(Ok(Error::Http(response))) => ensure!(response.status() == 403, "status {}", response.status()),
        _ => anyhow::bail!("the refusal did not arrive"),
    }
    println!("ok");
    Ok(())
}

async fn open(url: &str) -> anyhow::Result<(Socket, String)> {
    let mut request = url.into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", "chat.v2, chat.v1".parse()?);
    let config = WebSocketConfig::default().max_message_size(Some(64 << 20)).max_frame_size(Some(64 << 20));
    let (socket, response) = connect_async_with_config(request, Some(config), true).await?;
    let protocol =
        response.headers().get("Sec-WebSocket-Protocol").map(|value| value.to_str().unwrap_or_default());
    let protocol = protocol.unwrap_or_default().to_owned();
    Ok((socket, protocol))
}

async fn next(socket: &mut Socket) -> anyhow::Result<Message> {
    loop {
        match socket.next().await.context("the connection ended")?? {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return Ok(message),
        }
    }
}
