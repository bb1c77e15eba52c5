//! What sort of thing an intermediary is, and what sort of evidence there is.

use std::fmt;

use serde::Deserialize;

/// What sort of thing an intermediary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// An HTTP proxy before servers.
    ReverseProxy,
    /// A TCP proxy before servers.
    TcpProxy,
    /// The entry of a Kubernetes cluster.
    Ingress,
    /// A proxy beside each service.
    ServiceMesh,
    /// A proxy as a library in somebody's program.
    Library,
    /// An HTTP cache.
    Cache,
    /// A proxy before clients.
    ForwardProxy,
    /// A proxy or server that speaks to clients for the backend.
    RealtimeProxy,
    /// Takes TLS off.
    TlsTerminator,
    /// A gateway for APIs.
    ApiGateway,
    /// An HTTP load balancer of a cloud.
    LoadBalancer,
    /// A TCP load balancer of a cloud, or of a kernel.
    TcpLoadBalancer,
    /// WebSockets as a service.
    ManagedWebsockets,
    /// A content delivery network.
    Cdn,
    /// A platform that runs applications behind a router of its own.
    Platform,
    /// A tunnel from an edge to servers.
    Tunnel,
    /// Translates addresses.
    Nat,
    /// Follows connections to filter or balance them.
    ConnectionTracking,
    /// A firewall that keeps state.
    Firewall,
    /// The browser at the end.
    Browser,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReverseProxy => "reverse proxy",
            Self::TcpProxy => "TCP proxy",
            Self::Ingress => "ingress",
            Self::ServiceMesh => "service mesh",
            Self::Library => "library",
            Self::Cache => "cache",
            Self::ForwardProxy => "forward proxy",
            Self::RealtimeProxy => "realtime proxy",
            Self::TlsTerminator => "TLS terminator",
            Self::ApiGateway => "API gateway",
            Self::LoadBalancer => "load balancer",
            Self::TcpLoadBalancer => "TCP load balancer",
            Self::ManagedWebsockets => "managed WebSockets",
            Self::Cdn => "CDN",
            Self::Platform => "platform",
            Self::Tunnel => "tunnel",
            Self::Nat => "NAT",
            Self::ConnectionTracking => "connection tracking",
            Self::Firewall => "firewall",
            Self::Browser => "browser",
        })
    }
}

/// The kind of evidence for a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Basis {
    /// Measured with the real program.
    Measured,
    /// Read in its source code, or in configurations that ship with it.
    Source,
    /// Read in its documentation.
    Docs,
    /// Its documentation as others quote it.
    Quoted,
    /// A published study.
    Paper,
    /// Reports of users.
    Reports,
    /// Concluded from other facts.
    Inference,
    /// Remembered, not looked up.
    Memory,
}

impl Basis {
    /// Whether it is too weak to state a fact.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Inference | Self::Memory)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Measured => "measured",
            Self::Source => "source code",
            Self::Docs => "documentation",
            Self::Quoted => "documentation, quoted",
            Self::Paper => "study",
            Self::Reports => "reports of users",
            Self::Inference => "inference",
            Self::Memory => "memory",
        })
    }
}
