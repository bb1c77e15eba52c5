//! The kinds of intermediaries, and the kinds of evidence.

use std::fmt;

use serde::Deserialize;

/// The kind of an intermediary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProductKind {
    /// An HTTP proxy in front of servers.
    ReverseProxy,
    /// A TCP proxy in front of servers.
    TcpProxy,
    /// An ingress controller of a Kubernetes cluster.
    Ingress,
    /// A sidecar proxy next to each service.
    ServiceMesh,
    /// A proxy library that is linked into an application.
    Library,
    /// An HTTP cache in front of servers.
    Cache,
    /// A proxy on the side of the clients.
    ForwardProxy,
    /// A proxy that holds client connections on behalf of the backend.
    RealtimeProxy,
    /// A proxy that only terminates TLS.
    TlsTerminator,
    /// An API management gateway.
    ApiGateway,
    /// An HTTP load balancer of a cloud provider.
    LoadBalancer,
    /// A TCP load balancer of a cloud provider or a kernel.
    TcpLoadBalancer,
    /// A managed service that holds the WebSockets itself.
    ManagedWebsockets,
    /// A content delivery network.
    Cdn,
    /// A platform that runs applications behind its own router.
    Platform,
    /// A tunnel from an edge network to servers.
    Tunnel,
    /// A network address translator.
    Nat,
    /// A connection tracker that filters or balances connections.
    ConnectionTracking,
    /// A firewall that tracks connections.
    Firewall,
    /// The browser that runs the client.
    Browser,
}

impl fmt::Display for ProductKind {
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
    /// Measured with the real product.
    Measured,
    /// Read in the source code of the product or in the configuration that ships with it.
    Source,
    /// Read in the documentation of the product.
    Docs,
    /// The documentation of the product, as quoted by others.
    Quoted,
    /// A published research paper.
    Paper,
    /// Reports from users of the product.
    Reports,
    /// Inferred from other facts.
    Inference,
    /// Recalled from memory and not verified.
    Memory,
}

impl Basis {
    /// Returns whether this evidence is too weak to present something as a fact.
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
