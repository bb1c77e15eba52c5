//! The connections that are watched at the same time, and for how long.
//!
//! Connections with different traffic show what keeps a connection alive. Probes at increasing idle times find silent drops.
//! Staggered connections, which are opened at different times, distinguish a reload (all end at the same moment) from a maximum
//! connection age (all end at the same age).

mod plan;
pub(crate) mod watcher;

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;
use undrop_transport::Keepalive;

use crate::connections::watcher::{ConnectionScript, watch};
use crate::events::{RunEvent, RunListener};
use crate::prober::Prober;
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{Traffic, WatchedConnection};
use undrop_frame::{Ending, LocalFault};

pub(crate) use plan::{Capabilities, PlannedConnection, plan, refined};

/// TCP keepalive of the connection without other traffic, more frequent than any relevant timer.
const KEEPALIVE: Keepalive =
    Keepalive { idle: Duration::from_secs(1), interval: Duration::from_secs(1), count: 9 };

/// Watches all planned connections and returns them in the same order.
pub(crate) async fn run(
    prober: &Prober<'_>,
    planned: &[PlannedConnection],
    first: usize,
    stop: &CancellationToken,
    listener: &dyn RunListener,
) -> Vec<WatchedConnection> {
    let connections =
        planned.iter().enumerate().map(|(i, planned)| connection(prober, planned, first + i, stop, listener));
    join_all(connections).await
}

async fn connection(
    prober: &Prober<'_>,
    planned: &PlannedConnection,
    number: usize,
    stop: &CancellationToken,
    listener: &dyn RunListener,
) -> WatchedConnection {
    let ConnectionScript { traffic, .. } = &planned.script;
    tokio::select! {
        () = sleep(planned.opens_after) => {}
        () = stop.cancelled() => {}
    }
    let failed = |end: Ending| {
        listener.on_event(RunEvent::Failed { connection: number, traffic, end: &end });
        WatchedConnection::failed(traffic.clone(), prober.clock.now_s(), end)
    };
    if stop.is_cancelled() {
        return failed(LocalFault::Stopped.into());
    }
    let keepalive = (*traffic == Traffic::TcpKeepalive).then_some(KEEPALIVE);
    let ask = prober.handshake_request();
    let opened = tokio::select! {
        opened = prober.open(keepalive, &ask) => opened,
        () = stop.cancelled() => return failed(LocalFault::Stopped.into()),
    };
    let socket = match opened {
        Ok(opened) => opened.into_socket(),
        Err(end) => return failed(end),
    };
    listener.on_event(RunEvent::Opened { connection: number, traffic });
    let connection = watch(socket, &planned.script, prober.clock.now_s(), stop).await;
    if let Some(probe) = &connection.probe {
        listener.on_event(RunEvent::Probed { connection: number, answered: probe.reply_after_s.is_some() });
    }
    match &connection.end {
        Some(end) => listener.on_event(RunEvent::Ended { connection: number, age_s: connection.age_s, end }),
        None => listener.on_event(RunEvent::Released { connection: number }),
    }
    connection
}
