//! The plain WebSocket endpoint under the Autobahn test suite, in both roles; started by `conformance/run`.
//!
//! `autobahn server ADDRESS` echoes every message. `autobahn client URL AGENT` asks the suite's server at URL for its
//! cases, runs them all and has the reports written.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use undrop_frame::deflate::Config;
use undrop_frame::handshake::{DEFAULT_LIMIT, Headers, check_upgrade, response_101, response_plain};
use undrop_frame::{Limits, Message, Role};
use undrop_transport::{
    ConnectRequest, DialOptions, Ending, ListenOptions, Listener, OfferedExtensions, Received, Stream,
    WebSocket, WebSocketConfig, connect, read_request,
};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["server", address] => serve(address).await,
        ["client", url, agent] => run_cases(url, agent).await,
        _ => Err("usage: autobahn server ADDRESS | autobahn client URL AGENT".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn config() -> WebSocketConfig {
    // The suite sends messages of 16 MiB; nothing here needs a smaller limit than the default.
    WebSocketConfig { limits: Limits::default(), ..WebSocketConfig::default() }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

async fn serve(address: &str) -> Result<(), Failure> {
    let address: SocketAddr = address.parse()?;
    let listener = Listener::bind(address, ListenOptions::default())?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = answer(stream.into()).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn answer(mut stream: Stream) -> Result<(), Failure> {
    let (head, leftover) = read_request(&mut stream, DEFAULT_LIMIT, soon()).await?;
    let asked = match check_upgrade(&head) {
        Ok(asked) => asked,
        Err(error) => {
            let response = response_plain(error.status(), error.headers(), &error.to_string());
            stream.write_all(&response).await?;
            return Err(error.into());
        }
    };
    let deflate = Config::default();
    let agreed = asked.extensions.as_deref().and_then(|offers| deflate.negotiate(offers));
    let answer = agreed.as_ref().map(|(_, answer)| answer.as_str());
    stream.write_all(&response_101(&asked.key, None, answer, &[])).await?;
    let config = WebSocketConfig { deflate: agreed.map(|(params, _)| (params, deflate)), ..config() };
    echo(WebSocket::new(stream, Role::Server, leftover, &config)).await;
    Ok(())
}

async fn open(url: &str) -> Result<WebSocket, Failure> {
    let (url, headers, deflate) = (url.parse()?, Headers::new(), Config::default());
    let extensions = OfferedExtensions::Deflate(&deflate);
    let request = ConnectRequest { extensions, ..ConnectRequest::new(&url, &headers) };
    Ok(connect(&request, &DialOptions::default()).await?.into_websocket(&config()))
}

async fn run_cases(url: &str, agent: &str) -> Result<(), Failure> {
    let mut socket = open(&format!("{url}/getCaseCount")).await?;
    let Received::Message(Message::Text(count)) = socket.recv().await? else {
        return Err("the suite's server did not say how many cases there are".into());
    };
    let count: u32 = count.parse()?;
    for case in 1..=count {
        let socket = open(&format!("{url}/runCase?case={case}&agent={agent}")).await?;
        echo(socket).await;
        if case % 50 == 0 {
            eprintln!("{case} of {count}");
        }
    }
    let mut socket = open(&format!("{url}/updateReports?agent={agent}")).await?;
    while socket.recv().await.is_ok() {}
    Ok(())
}

async fn echo(mut socket: WebSocket) -> Ending {
    loop {
        match socket.recv().await {
            Ok(Received::Message(message)) => {
                // When it fails, the next `recv` says why.
                let _ = socket.send(&message).await;
            }
            Ok(_) => {}
            Err(ending) => return ending,
        }
    }
}
