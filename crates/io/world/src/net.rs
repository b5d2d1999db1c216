//! Connections: TCP and Unix sockets of this machine, or those of a simulated network.
//!
//! A [`Net`] makes a [`Stream`] (by `connect`) or a [`Listener`] (by `listen`). The streams are plain
//! octets in order; TLS is laid over them elsewhere. All of it is cancel safe: dropping a future that
//! has not finished loses no octets and leaves no half-made connection behind.

mod listener;
mod stream;
mod unconfirmed;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpSocket, UnixStream},
    time::timeout,
};

use crate::sim::net::SimHost;
pub use listener::Listener;
pub use stream::{Idle, Stream};

/// Where connections are made.
#[derive(Clone)]
pub enum Net {
    /// The machine's network.
    Real,
    /// A host in a simulated one.
    Sim(SimHost),
}

/// A connection to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The other end.
    pub to: SocketAddr,
    /// Our own address; `None` leaves it to the routing table.
    pub source: Option<IpAddr>,
    /// How long to wait for the other end's answer.
    pub timeout: Duration,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// TCP.
    Ip(SocketAddr),
    /// The path of the listening Unix socket, for both ends: the connecting one has no name.
    Unix(Arc<Path>),
}

impl Net {
    /// Connects.
    ///
    /// # Errors
    /// What the operating system says (`ConnectionRefused`, `HostUnreachable`, `AddrNotAvailable` for
    /// a source that is not ours, ...); `TimedOut` after `timeout`; `InvalidInput` if source and
    /// destination are not of the same family.
    pub async fn connect(&self, connect: Connect) -> io::Result<Stream> {
        if let Some(source) = connect.source
            && source.is_ipv4() != connect.to.is_ipv4()
        {
            let text = format!("cannot connect to {} from {source}: one is IPv6", connect.to);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let connecting = async {
            match self {
                Self::Real => connect_tcp(connect.to, connect.source).await,
                Self::Sim(host) => host.connect(connect.to, connect.source).await.map(Stream::Sim),
            }
        };
        match timeout(connect.timeout, connecting).await {
            Ok(result) => result,
            Err(_) => {
                let text = format!("no answer from {} in {:?}", connect.to, connect.timeout);
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// What the operating system says; `ConnectionRefused` for a socket that nobody listens on.
    pub async fn connect_unix(&self, path: &Path) -> io::Result<Stream> {
        match self {
            Self::Real => Ok(Stream::Unix(UnixStream::connect(path).await?, path.into())),
            Self::Sim(host) => host.connect_unix(path).map(Stream::Sim),
        }
    }

    /// Listens on a TCP address; port 0 takes a free one, see [`Listener::local`].
    ///
    /// # Errors
    /// What the operating system says: `AddrInUse`, `PermissionDenied`, `AddrNotAvailable`.
    pub fn listen(&self, at: SocketAddr) -> io::Result<Listener> {
        match self {
            Self::Real => listener::listen_tcp(at),
            Self::Sim(host) => host.listen(at.into()).map(Listener::Sim),
        }
    }

    /// Listens on a Unix socket that those may connect to whom `mode` allows it (0600: only this user); in
    /// the simulated world there is one user. A socket that a dead process left behind is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if somebody answers there, `AlreadyExists` if there is a file that is no socket.
    pub fn listen_unix(&self, path: &Path, mode: u32) -> io::Result<Listener> {
        match self {
            Self::Real => listener::listen_unix(path, mode),
            Self::Sim(host) => host.listen(Endpoint::Unix(path.into())).map(Listener::Sim),
        }
    }

    /// Every IP address that this machine answers on, loopback included, sorted.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn addresses_of_this_machine(&self) -> io::Result<Vec<IpAddr>> {
        let mut addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        match self {
            Self::Real => {
                addresses.extend(if_addrs::get_if_addrs()?.iter().map(if_addrs::Interface::ip));
            }
            Self::Sim(host) => addresses.extend(host.addresses()),
        }
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }
}

async fn connect_tcp(to: SocketAddr, source: Option<IpAddr>) -> io::Result<Stream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    Ok(Stream::Tcp(socket.connect(to).await?, to))
}

impl Endpoint {
    /// The IP address; `None` for a Unix socket.
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket().map(|address| address.ip())
    }

    /// Address and port; `None` for a Unix socket.
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

/// `192.0.2.1:25`, `[2001:db8::1]:25` or `/run/lmtp`.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path.into())
    }
}
